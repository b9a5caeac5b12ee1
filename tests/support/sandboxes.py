"""Served sandbox systems: a vendor on a free port of the loopback, with its state in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sandbox.kit.host import Host, SandboxSettings, build_app
from sandbox.kit.vendor import Vendor
from sandbox.world.model import WorldModel
from tests.support.serving import serve_asgi

CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "crm": {"client_id": "crossdock", "client_secret": "sandbox-crm-secret"},
    "erp": {"client_id": "crossdock", "client_secret": "sandbox-erp-secret"},
    "legacy_erp": {"user": "CROSSDOCK", "password": "sandbox-legacy-secret"},
    "wms": {"api_key": "sandbox-wms-key"},
    "tms": {"api_key": "sandbox-tms-key"},
}


@dataclass(frozen=True)
class ServedSandbox:
    url: str
    host: Host
    http: httpx.AsyncClient

    async def faults(self, **profile: Any) -> None:
        (await self.http.put("/_sandbox/faults", json=profile)).raise_for_status()

    async def calls(self) -> dict[str, int]:
        counted: dict[str, int] = (await self.http.get("/_sandbox/calls")).json()["calls"]
        return counted

    async def reset_calls(self) -> None:
        (await self.http.delete("/_sandbox/calls")).raise_for_status()


@asynccontextmanager
async def serve_sandbox(
    vendor: Vendor,
    world: Callable[[], WorldModel],
    *,
    webhook_url: str | None = None,
    clock_speed: float = 1.0,
    database: Path | None = None,
) -> AsyncIterator[ServedSandbox]:
    """Serve one sandbox with the demo's credentials."""
    settings = SandboxSettings(
        name=vendor.name,
        database=database,
        webhook_url=webhook_url,
        webhook_secret=f"sandbox-{vendor.name}-webhook",
        clock_speed=clock_speed,
        credentials=CREDENTIALS.get(vendor.name, {}),
    )
    app = build_app(vendor, settings, world)
    async with (
        serve_asgi(app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=10) as http,
    ):
        yield ServedSandbox(url, app.state.host, http)


def fill(vendor: Vendor, world: WorldModel, database: Path) -> None:
    """Fill a sandbox's file, copies of which can be served without being filled each."""
    app = build_app(vendor, SandboxSettings(name=vendor.name, database=database), lambda: world)
    app.state.host.store.close()
