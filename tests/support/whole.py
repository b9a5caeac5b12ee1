"""The whole of Crossdock on free ports of the loopback: five sandboxes, five subgraphs, gateway, processes, webhooks.

``in_process`` is the embedded form as the demo runs it; ``over_sockets`` has every subgraph behind a server of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from crossdock.background import running_background
from crossdock.demo.history import history_of
from crossdock.demo.prepare import demo_settings
from crossdock.embedded import open_embedded, senders
from crossdock.migrations import upgrade
from crossdock.published import published_supergraph
from crossdock.scenarios import scenario
from crossdock.serving import serving
from crossdock.settings import CrossdockSettings, ProcessSettings
from crossdock.webhooks import webhook_routes
from crossdock.wiring.parts import open_parts
from crossdock.wiring.platform import open_platform
from crossdock.wiring.subgraphs import SUBGRAPHS, build_subgraph
from gateway.bootstrap import build_gateway
from gateway.config import GatewaySettings, IdentitySettings, SubgraphClaims, SubgraphSettings
from gateway.server.listening import listen
from processes.crm_mirror import pass_over_completions
from processes.decider import EngineDecider
from processes.invoice_watch import pass_over
from processes.pick_watch import pass_over_releases
from processes.quote_mirror import pass_over_quotes
from processes.quote_superseding import pass_over_prices
from processes.shipment_watch import pass_over_milestones
from processes.worker import ProcessEngine
from sandbox.crm.vendor import Crm
from sandbox.erp.vendor import Erp
from sandbox.kit.vendor import Vendor
from sandbox.legacy_erp.vendor import LegacyErpSandbox
from sandbox.serve import known_to
from sandbox.tms.vendor import Tms
from sandbox.wms.vendor import Wms
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from systems.platform.history import import_history
from tests.support.sandboxes import ServedSandbox, serve_sandbox

SECRET = "a secret of tests that is long enough for all"
SLOW_AFTER_S = 20.0
"""A slow machine does not count as a system that does not answer."""

SETTLED_WITHIN_S = 60.0
QUIET_S = 0.3
"""Without a call for this long, the copy of stock is filled."""

POLLED = ("/postedInvoices", "/priceChanges", "/DELTA")
"""What the ERPs are asked all the time: what they have posted, and what has changed in the price book."""

FAST = 5 * 3_600.0
"""Five hours of warehouse and carrier in a second; from order to door it takes a day at most."""


@cache
def demo_world() -> WorldModel:
    return generate_world(42, datetime.now(UTC))


def _known_to(name: str) -> WorldModel:
    return known_to(name, demo_world())


@dataclass(frozen=True)
class Whole:
    """A running Crossdock."""

    url: str
    sandboxes: Mapping[str, ServedSandbox]
    http: httpx.AsyncClient
    settings: CrossdockSettings

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the whole answer to a query or mutation."""
        answer = await self.http.post("/graphql", json={"query": query, "variables": variables or {}})
        found: dict[str, Any] = answer.json()
        return found

    async def data(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the data of an answer without errors."""
        answer = await self.ask(query, variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def play(self, name: str, **variables: Any) -> dict[str, Any]:
        """Return the data of a scenario, with other variables where given."""
        shown = scenario(name)
        return await self.data(shown.query, {**shown.variables, **variables})

    async def calls(self) -> int:
        """Return how many calls the systems have got, but for the regular questions to ERPs what is new."""
        counted = [await sandbox.calls() for sandbox in self.sandboxes.values()]
        return sum(count for calls in counted for name, count in calls.items() if not name.endswith(POLLED))

    async def reset_calls(self) -> None:
        for sandbox in self.sandboxes.values():
            await sandbox.reset_calls()

    async def speed(self, speed: float, *names: str) -> None:
        """Let the clocks of warehouse and carrier, or of these systems, run faster."""
        for name in names or ("wms", "tms"):
            (await self.sandboxes[name].http.put("/_sandbox/clock", json={"speed": speed})).raise_for_status()


@asynccontextmanager
async def in_process(
    folder: Path, identity: IdentitySettings | None = None, redis: str | None = None
) -> AsyncIterator[Whole]:
    """Run everything in the embedded form; without an identity everybody is the demo's person."""
    async with AsyncExitStack() as stack:
        where, url, sandboxes, settings, http = await stack.enter_async_context(_around(folder))
        settings = settings.model_copy(update={"redis": redis})
        if identity is not None:
            gateway = settings.gateway.model_copy(update={"identity": identity})
            settings = settings.model_copy(update={"gateway": gateway})
        app = await stack.enter_async_context(open_embedded(settings))
        await stack.enter_async_context(serving(app, where))
        yield await _settled(Whole(url, sandboxes, http, settings))


@asynccontextmanager
async def over_sockets(folder: Path) -> AsyncIterator[Whole]:
    """Run every subgraph behind its own server."""
    async with AsyncExitStack() as stack:
        where, url, sandboxes, settings, http = await stack.enter_async_context(_around(folder))
        parts = await stack.enter_async_context(open_parts(settings))
        engine = await stack.enter_async_context(ProcessEngine(parts.engine_settings(), parts.dependencies()))
        background = await stack.enter_async_context(running_background(parts, engine))
        addresses = {}
        for name in SUBGRAPHS:
            socket = listen("127.0.0.1", 0)
            await stack.enter_async_context(
                serving(build_subgraph(name, parts, EngineDecider(engine, parts.platform.inbox)), socket)
            )
            addresses[name] = SubgraphSettings(url=f"http://127.0.0.1:{socket.getsockname()[1]}/graphql")
        gateway = build_gateway(published_supergraph(), settings=_remote(settings, addresses))
        door = webhook_routes(parts.platform.inbox, senders(settings), parts.clock, background.wake)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            is_webhook = scope["type"] == "http" and scope["path"].startswith("/webhooks/")
            await (door if is_webhook else gateway.asgi)(scope, receive, send)

        await stack.enter_async_context(serving(app, where))
        yield await _settled(Whole(url, sandboxes, http, settings))


async def _settled(whole: Whole) -> Whole:
    """Wait until what a program reads at its start has been read, so that calls can be counted."""
    async with asyncio.timeout(SETTLED_WITHIN_S):
        seen = [-1, await whole.calls()]
        while seen[-1] != seen[-2] or not seen[-1]:
            await asyncio.sleep(QUIET_S)
            seen.append(await whole.calls())
    return whole


def _remote(settings: CrossdockSettings, addresses: dict[str, SubgraphSettings]) -> GatewaySettings:
    gateway = settings.gateway
    identity = gateway.identity.model_copy(update={"subgraph_claims": SubgraphClaims(key=settings.claims_key)})
    return gateway.model_copy(update={"identity": identity, "subgraphs": addresses})


@asynccontextmanager
async def _around(folder: Path) -> AsyncIterator[Any]:
    """Start the sandboxes, bring the past into a new database, and take a port for the gateway."""
    where = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{where.getsockname()[1]}"
    vendors: dict[str, Vendor] = {
        "crm": Crm(),
        "erp": Erp(),
        "wms": Wms(),
        "tms": Tms(),
        "legacy_erp": LegacyErpSandbox(),
    }
    async with AsyncExitStack() as stack:
        sandboxes = {
            name: await stack.enter_async_context(
                serve_sandbox(vendor, partial(_known_to, name), webhook_url=f"{url}/webhooks/{name}")
            )
            for name, vendor in vendors.items()
        }
        settings = demo_settings(folder, {name: sandbox.url for name, sandbox in sandboxes.items()}, SECRET)
        settings = settings.model_copy(update={"processes": ProcessSettings(slow_after=SLOW_AFTER_S)})
        await upgrade(settings.database)
        async with open_platform(settings.database, None) as platform:
            await import_history(platform.database, platform.events.append_in, history_of(demo_world()))
            await pass_over(platform.events, platform.cursors)
            await pass_over_completions(platform.events, platform.cursors)
            await pass_over_releases(platform.events, platform.cursors)
            await pass_over_quotes(platform.events, platform.cursors)
            await pass_over_prices(platform.events, platform.cursors)
            await pass_over_milestones(platform.events, platform.cursors)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=30))
        yield where, url, sandboxes, settings, http
