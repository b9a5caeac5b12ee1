"""An ASGI application behind uvicorn within a running event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import uvicorn

from gateway.exit_codes import INTERRUPTED
from gateway.server.graceful import GracefulServer, Stops
from gateway.server.lean_uvicorn import LeanHttpProtocol, LeanWebSocketProtocol

__all__ = ["serving", "stop_signal"]

STOP_S = 5
"""Longest wait for requests under way when a server stops that has no settings about that."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""Largest WebSocket message."""

_STOPS = b"stopping; what is under way may end, another Ctrl-C ends it at once\n"
_CUT_OFF = b"interrupted again: ended at once; what was under way is cut off, processes go on at the next start\n"


@asynccontextmanager
async def serving(
    app: Any, where: socket.socket, protocol: type[asyncio.Protocol] | None = None, stops: Stops | None = None
) -> AsyncIterator[None]:
    """Serve an application on a socket while the context is open; signals are the caller's business.

    ``protocol`` is what serves each connection, instead of the server's own; ``stops`` ends its streams.
    """
    config = uvicorn.Config(
        app,
        log_config=None,  # its words go where ours go
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
    """Return an event that Ctrl-C and a request to end set; a second Ctrl-C ends this process at once.

    Nothing is closed then, which every process and store here bears: it is what happens when the power goes.
    """
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    interrupts = 0

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += number == signal.SIGINT
        if interrupts > 1:
            os.write(sys.stderr.fileno(), _CUT_OFF)
            os._exit(INTERRUPTED)
        if interrupts == 1 and number == signal.SIGINT:
            os.write(sys.stderr.fileno(), _STOPS)
        loop.call_soon_threadsafe(event.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)  # not the loop's own: this must work while something holds up the loop
    return event
