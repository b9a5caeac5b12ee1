"""An ASGI application behind uvicorn within a running event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from gateway.server.graceful import GracefulServer, Stops
from gateway.server.lean_uvicorn import LeanHttpProtocol, LeanWebSocketProtocol

__all__ = ["listening", "serving", "stop_signal"]

STOP_S = 5
"""Longest wait for requests under way when a server stops that has no settings about that."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""Largest WebSocket message."""


def listening(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        OSError: the address cannot be taken.
    """
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


@asynccontextmanager
async def serving(
    app: Any, where: socket.socket, protocol: type[asyncio.Protocol] | None = None, stops: Stops | None = None
) -> AsyncIterator[None]:
    """Serve an application on a socket while the context is open; signals are the caller's business.

    ``protocol`` is what serves each connection, instead of the server's own; ``stops`` ends its streams.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # whose word on addresses counts is a setting of the gateway's
        http=protocol or LeanHttpProtocol,
        ws=LeanWebSocketProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # a compressor for each socket, for messages of some hundred bytes
        timeout_graceful_shutdown=STOP_S,
    )
    config.load()
    server = GracefulServer(config, stops)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[where])
    loop = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await loop
        await server.shutdown(sockets=[where])


def stop_signal() -> asyncio.Event:
    """Return an event that Ctrl-C and a request to end set."""
    event = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event
