"""One sandbox put together: a vendor's routes over its store, behind faults, with its clock and webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

from sandbox.kit.clock import SandboxClock
from sandbox.kit.control import CallCounter, control_routes
from sandbox.kit.faults import FaultInjector
from sandbox.kit.store import Store
from sandbox.kit.vendor import Vendor
from sandbox.kit.webhooks import Webhooks
from sandbox.world.model import WorldModel

__all__ = ["Host", "SandboxSettings", "build_app"]

WORK_PAUSE_S = 1.0
"""Pause after background work failed, before it begins again."""

_log = logging.getLogger("sandbox")


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How one sandbox runs.

    Attributes:
        name: crm, erp, wms or tms.
        database: its SQLite file; None keeps its state in memory.
        webhook_url: where it sends webhooks; None keeps them waiting.
        webhook_secret: key of their signatures.
        clock_speed: how much faster than ours its clock runs.
        credentials: what its clients must prove, by the vendor's names.
    """

    name: str
    database: Path | None = None
    webhook_url: str | None = None
    webhook_secret: str = field(default="", repr=False)
    clock_speed: float = 1.0
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Host:
    """What a vendor's handlers work with."""

    name: str
    store: Store
    clock: SandboxClock
    webhooks: Webhooks
    settings: SandboxSettings


def build_app(vendor: Vendor, settings: SandboxSettings, world: Callable[[], WorldModel]) -> Starlette:
    """Return a sandbox as an ASGI application; ``app.state.host`` is its :class:`Host`.

    Args:
        vendor: the protocol.
        settings: how it runs.
        world: makes the world that an empty store is filled with; not called when the store is filled already.

    Raises:
        ValueError: the store was filled by a version with other tables.
    """
    store = Store(settings.database)
    tables = hashlib.sha256(vendor.schema.encode()).hexdigest()
    if store.meta("seeded") is not None and store.meta("tables") != tables:
        raise ValueError(f"{settings.database} was made by another version of this sandbox: remove it to start afresh")
    store.script(vendor.schema)
    if store.meta("seeded") is None:
        with store.transaction():
            vendor.seed(store, world())
            store.remember("seeded", datetime.now(UTC).isoformat())
            store.remember("tables", tables)
    inner = Router()
    faults = FaultInjector(_InVendorsWords(inner, vendor), vendor.failure)
    host = Host(
        vendor.name,
        store,
        SandboxClock(_start(store), settings.clock_speed),
        Webhooks(vendor.name, store, settings.webhook_url, settings.webhook_secret, faults),
        settings,
    )
    inner.routes.extend(vendor.routes(host))
    calls = CallCounter(faults)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(host.webhooks.deliver()), asyncio.create_task(_work(vendor, host))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            store.remember("stopped_at", host.clock.now().isoformat())
            store.close()

    app = Starlette(
        routes=[*control_routes(host, faults, calls), Mount("/", app=calls)],
        lifespan=lifespan,
    )
    app.state.host = host
    return app


class _InVendorsWords:
    """ASGI middleware that answers unknown paths and methods and unexpected failures in the vendor's error format."""

    def __init__(self, routes: Router, vendor: Vendor) -> None:
        self._routes = routes
        self._vendor = vendor
        routes.default = self._unknown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        try:
            await self._routes(scope, receive, send)
        except HTTPException as refused:
            await self._vendor.failure(refused.status_code, refused.detail)(scope, receive, send)
        except Exception:  # noqa: BLE001 - a bug of the sandbox answers as a vendor's failure would
            _log.exception("%s failed at %s", self._vendor.name, scope.get("path"))
            await self._vendor.failure(500, "unexpected failure")(scope, receive, send)

    async def _unknown(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._vendor.failure(404, "no such resource")(scope, receive, send)


def _start(store: Store) -> datetime:
    """Return now, or the later moment at which a fast clock was stopped: time never runs back."""
    stopped = store.meta("stopped_at")
    now = datetime.now(UTC)
    return now if stopped is None else max(now, datetime.fromisoformat(stopped))


async def _work(vendor: Vendor, host: Host) -> None:
    while True:
        try:
            await vendor.work(host)
        except Exception:  # noqa: BLE001 - the system goes on, as a vendor's would
            _log.exception("%s: background work failed and begins again", vendor.name)
            await asyncio.sleep(WORK_PAUSE_S)
        else:
            return
