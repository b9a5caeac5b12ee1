"""The programs of a deployment: each runs until it is asked to stop, then ends what is under way and closes up."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from crossdock.background import running_background
from crossdock.embedded import open_embedded, senders
from crossdock.serving import serving, stop_signal
from crossdock.settings import CrossdockSettings
from crossdock.webhooks import webhook_routes
from crossdock.wiring.parts import open_parts
from crossdock.wiring.subgraphs import NEEDS_ENGINE, build_subgraph
from gateway.logs import log_to
from gateway.memory import give_back_freed_memory
from gateway.server.graceful import Stops
from gateway.server.listening import listen
from processes.decider import EngineDecider
from processes.worker import ProcessEngine

__all__ = ["run_embedded", "run_subgraph", "run_worker"]


async def run_subgraph(name: str, settings: CrossdockSettings, host: str, port: int) -> None:
    """Serve one subgraph at ``/graphql``, health at ``/health``.

    Raises:
        ConfigError: the address cannot be taken.
        Unavailable: the database does not answer.
    """
    until = _begin()
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_parts(settings))
        starter = None
        if name in NEEDS_ENGINE:
            engine = ProcessEngine(parts.engine_settings(), parts.dependencies())
            starter = EngineDecider(await stack.enter_async_context(engine), parts.platform.inbox)
        await _serve(build_subgraph(name, parts, starter), listen(host, port), f"subgraph {name}", until)


async def run_worker(settings: CrossdockSettings, host: str, port: int) -> None:
    """Carry processes, handle webhooks at ``/webhooks/<sender>``, health at ``/health``.

    Raises:
        ConfigError: the address cannot be taken.
        Unavailable: the database does not answer.
    """
    until = _begin()
    async with (
        open_parts(settings) as parts,
        ProcessEngine(parts.engine_settings(), parts.dependencies()) as engine,
        running_background(parts, engine) as background,
    ):
        door = webhook_routes(parts.platform.inbox, senders(settings), parts.clock, background.wake)
        app = Starlette(routes=[Route("/health", _health), Mount("/", app=door)])
        await _serve(app, listen(host, port), "worker", until)


async def run_embedded(settings: CrossdockSettings, config: Path | None = None) -> None:
    """Serve everything in this process; with ``config``, the file of the settings, the gateway follows its section.

    Raises:
        ConfigError: the address cannot be taken.
        ConfigError: the gateway's settings do not fit the supergraph.
        Unavailable: the database does not answer.
    """
    until = _begin()
    where = listen(settings.gateway.server.host, settings.gateway.server.port)
    async with open_embedded(settings, config) as app:
        await _serve(app, where, "crossdock", until, app.protocol, app.stops)


def _begin() -> asyncio.Event:
    """Log to the terminal from now on, and mind who asks to stop: a program that still starts stops once it has."""
    log_to(sys.stderr)
    give_back_freed_memory()
    return stop_signal()


async def _serve(
    app: ASGIApp,
    where: socket.socket,
    name: str,
    until: asyncio.Event,
    protocol: type[asyncio.Protocol] | None = None,
    stops: Stops | None = None,
) -> None:
    async with serving(app, where, protocol, stops):
        host, port = where.getsockname()[:2]
        sys.stdout.write(f"{name} listens on http://{host}:{port}\n")
        sys.stdout.flush()
        await until.wait()


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
