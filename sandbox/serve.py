"""Serve sandbox systems, one or all of them in one process, over one world.

All sandboxes of a state folder share ``world.json`` (seed and moment of the world) so that, started together or alone,
their data fit together.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from sandbox.kit.host import SandboxSettings, build_app
from sandbox.world.generate import generate_world
from sandbox.world.homes import CLOUD, LEGACY, part_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from sandbox.kit.vendor import Vendor
    from sandbox.world.model import WorldModel

__all__ = [
    "CREDENTIALS",
    "ERP_COMPANY",
    "NAMES",
    "WEBHOOK_SECRETS",
    "Address",
    "Moment",
    "known_to",
    "moment_of",
    "serve",
    "world_of",
]

NAMES = ("crm", "erp", "wms", "tms", "legacy_erp")

CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "crm": {"client_id": "crossdock", "client_secret": "sandbox-crm-secret"},
    "erp": {"client_id": "crossdock", "client_secret": "sandbox-erp-secret"},
    "wms": {"api_key": "sandbox-wms-key"},
    "tms": {"api_key": "sandbox-tms-key"},
    "legacy_erp": {"user": "CROSSDOCK", "password": "sandbox-legacy-secret"},
}
"""What the sandboxes accept. They hold made-up data and listen on loopback, so these are no secrets."""

WEBHOOK_SECRETS: Mapping[str, str] = {
    "crm": "sandbox-crm-webhook",
    "wms": "sandbox-wms-webhook",
    "tms": "sandbox-tms-webhook",
}

ERP_COMPANY = "DEMO"
"""Name of the company in the ERP sandbox."""

ERPS: Mapping[str, str] = {"erp": CLOUD, "legacy_erp": LEGACY}
"""The sandboxes in which customers are at home."""

DEFAULT_SEED = 42
STOP_S = 5
"""Longest wait for requests under way when a sandbox stops."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where one sandbox listens; port 0 takes a free one."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What a world is made from."""

    seed: int
    now: datetime


def moment_of(folder: Path, seed: int = DEFAULT_SEED) -> Moment:
    """Return the moment of the folder's world; the first who asks decides it, other processes read it.

    Raises:
        ValueError: ``world.json`` does not hold a seed and a time.
    """
    path = folder / "world.json"
    folder.mkdir(parents=True, exist_ok=True)
    mine = folder / f".world-{os.getpid()}.json"
    mine.write_text(json.dumps({"seed": seed, "now": datetime.now(UTC).isoformat()}), encoding="utf-8")
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Moment(int(kept["seed"]), datetime.fromisoformat(kept["now"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: holds no seed and time of a world; remove the folder to start afresh") from error


@cache
def world_of(moment: Moment) -> WorldModel:
    """Return the world of a moment, made once per process."""
    return generate_world(moment.seed, moment.now)


def known_to(name: str, world: WorldModel) -> WorldModel:
    """Return what a system knows of the world: an ERP its own customers, every other system all."""
    erp = ERPS.get(name)
    return world if erp is None else part_of(world, erp)


def make_vendor(name: str) -> Vendor:
    """Return the vendor of a sandbox.

    Raises:
        ValueError: there is no such sandbox.
    """
    match name:
        case "crm":
            from sandbox.crm.vendor import Crm  # noqa: PLC0415 - a sandbox that runs alone loads only itself

            return Crm()
        case "erp":
            from sandbox.erp.vendor import Erp  # noqa: PLC0415

            return Erp()
        case "wms":
            from sandbox.wms.vendor import Wms  # noqa: PLC0415

            return Wms()
        case "tms":
            from sandbox.tms.vendor import Tms  # noqa: PLC0415

            return Tms()
        case "legacy_erp":
            from sandbox.legacy_erp.vendor import LegacyErpSandbox  # noqa: PLC0415

            return LegacyErpSandbox()
    raise ValueError(f"no sandbox is called {name!r}; there are {', '.join(NAMES)}")


def make_app(name: str, folder: Path, webhook_base: str | None, clock_speed: float) -> Starlette:
    """Return a sandbox that keeps its state in ``folder`` and sends webhooks to ``<webhook_base>/<name>``."""
    secret = WEBHOOK_SECRETS.get(name, "")
    settings = SandboxSettings(
        name=name,
        database=folder / f"{name}.db",
        webhook_url=f"{webhook_base}/{name}" if webhook_base and secret else None,
        webhook_secret=secret,
        clock_speed=clock_speed,
        credentials=CREDENTIALS[name],
    )
    return build_app(make_vendor(name), settings, lambda: known_to(name, world_of(moment_of(folder))))


async def serve(
    addresses: Sequence[Address],
    folder: Path,
    *,
    webhook_base: str | None = None,
    clock_speed: float = 1.0,
    until: asyncio.Event,
) -> None:
    """Serve sandboxes until the event is set; prints one line of JSON with their addresses when all are ready.

    Raises:
        OSError: an address cannot be taken.
        ValueError: a name is unknown, or the folder holds no usable world.
    """
    async with AsyncExitStack() as stack:
        ready = {
            address.name: await stack.enter_async_context(
                _served(make_app(address.name, folder, webhook_base, clock_speed), address)
            )
            for address in addresses
        }
        world_of.cache_clear()
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await until.wait()


@asynccontextmanager
async def _served(app: Starlette, address: Address) -> AsyncIterator[str]:
    try:
        listening = socket.create_server((address.host, address.port))
    except OSError as error:
        where = f"{address.host}:{address.port}"
        why = os.strerror(error.errno or 0)
        raise OSError(f"the sandbox {address.name} cannot listen on {where}: {why}; take another port") from error
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_S)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    loop = asyncio.create_task(server.main_loop())
    try:
        yield f"http://{address.host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await loop
        await server.shutdown(sockets=[listening])
