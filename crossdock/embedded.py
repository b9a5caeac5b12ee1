"""Everything in one process: gateway, subgraphs without sockets, processes, the door for webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from crossdock.background import running_background
from crossdock.migrations import upgrade
from crossdock.published import published_supergraph
from crossdock.settings import CrossdockSettings, load
from crossdock.webhooks import PREFIX, Sender, Senders, webhook_routes
from crossdock.wiring.parts import open_parts
from crossdock.wiring.subgraphs import SUBGRAPHS, build_subgraph
from gateway.bootstrap import Gateway, Origin, Upkeep, build_gateway
from gateway.config import GatewaySettings, SubgraphClaims, changed_keys
from gateway.errors import ConfigError
from gateway.transport.inprocess import InProcessTransport
from processes.decider import EngineDecider
from processes.worker import ProcessEngine
from schema.enums import SourceSystem
from schema.records.operations import ProcessRecord

__all__ = ["Embedded", "open_embedded", "senders"]


@asynccontextmanager
async def open_embedded(
    settings: CrossdockSettings, config: Path | None = None, resumed: Callable[[ProcessRecord], None] | None = None
) -> AsyncIterator[Embedded]:
    """Open everything and yield the application that serves it; the database is brought up to date first.

    With the file of the settings in ``config`` the gateway takes over what changes in its section. ``resumed`` is
    told of processes that go on where an earlier program left them.

    Raises:
        ConfigError: the gateway's settings do not fit the supergraph.
        Unavailable: the database does not answer.
    """
    if settings.gateway.server.workers > 1:
        raise ConfigError("gateway.server.workers: everything in one process has one worker; take crossdock gateway")
    await upgrade(settings.database)
    async with (
        open_parts(settings) as parts,
        ProcessEngine(parts.engine_settings(), parts.dependencies(), resumed=resumed) as engine,
    ):
        starter = EngineDecider(engine, parts.platform.inbox)
        transports = {name: InProcessTransport(name, build_subgraph(name, parts, starter)) for name in SUBGRAPHS}
        async with running_background(parts, engine) as background:
            gateway = build_gateway(published_supergraph(), transports, _with_claims(settings))
            if config is not None:
                Upkeep(gateway, None, Origin(lambda: _gateway_settings(settings, config), config))
            webhooks = webhook_routes(parts.platform.inbox, senders(settings), parts.clock, background.wake)
            async with gateway:  # what cannot be opened is known before anything is served
                yield Embedded(gateway, webhooks)


def senders(settings: CrossdockSettings) -> Senders:
    """Return who may send webhooks."""
    systems = settings.systems
    crm = systems.crm.webhook_secret
    return {
        **({} if crm is None else {"crm": Sender(SourceSystem.CRM, crm)}),
        "wms": Sender(SourceSystem.WMS, systems.wms.webhook_secret),
        "tms": Sender(SourceSystem.TMS, systems.tms.webhook_secret),
    }


def _with_claims(settings: CrossdockSettings) -> GatewaySettings:
    """Return the gateway's settings with the key that its subgraphs here verify."""
    gateway = settings.gateway
    identity = gateway.identity.model_copy(update={"subgraph_claims": SubgraphClaims(key=settings.claims_key)})
    return gateway.model_copy(update={"identity": identity})


def _gateway_settings(started: CrossdockSettings, config: Path) -> GatewaySettings:
    """Return the gateway's settings as the file has them now.

    Raises:
        ConfigError: the file is not accepted, or has changed elsewhere too.
    """
    settings = load(config)
    outside = {"gateway"}
    changed = changed_keys(started.model_dump(exclude=outside), settings.model_dump(exclude=outside))
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} cannot change while everything runs, only the section gateway can: start it again, "
            "or put the old value back; until then no other change of the settings is taken over either"
        )
    return _with_claims(settings)


class Embedded:
    """The gateway, with the door for webhooks beside it.

    Attributes:
        protocol: serves its connections.
        stops: ends its streams.
    """

    def __init__(self, gateway: Gateway, webhooks: ASGIApp) -> None:
        self._gateway = gateway.asgi
        self._webhooks = webhooks
        self.protocol = gateway.connections.protocol
        self.stops = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        is_webhook = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (self._webhooks if is_webhook else self._gateway)(scope, receive, send)
