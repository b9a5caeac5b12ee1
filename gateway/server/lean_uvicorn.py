"""uvicorn's connections for servers with thousands of idle ones: they hold less, and sockets take frames ready-made.

An empty ``deque`` holds a block of 0.6 KiB, and each event, queue and list of waiting requests of a connection has one:
2.2 KiB of the 10 that an idle HTTP answer takes, 4 of the 20 of a WebSocket, whose request is kept twice besides. Here
short lists stand in for them. Only what is a ``deque`` is replaced: with another uvicorn that has something else there,
connections are as large as they are without this module, and work.

What the client of a socket does not read has an end here, too: uvicorn keeps it for as long as the client stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["FRAMES", "LeanHttpProtocol", "LeanWebSocketProtocol", "check_built_on"]

FRAMES = "crossdock.frames"
"""ASGI extension of a WebSocket scope: a message ``websocket.send`` may have this key with whole frames of texts. They
are written as they are, which costs a tenth of what ``text`` does and needs no second copy for a second client."""


_UNREAD_S = 30.0
"""Seconds for which the last bytes of a socket may wait to be read; then the connection is cut."""


_BUILT_ON: Mapping[type, Sequence[str]] = {
    HttpToolsProtocol: (
        "connection_made",
        "connection_lost",
        "data_received",
        "pause_writing",
        "resume_writing",
        "on_headers_complete",
        "handle_websocket_upgrade",
    ),
    RequestResponseCycle: ("run_asgi", "send", "receive"),
    FlowControl: ("pause_reading", "resume_reading"),
    WebSocketsSansIOProtocol: (
        "connection_made",
        "handle_connect",
        "handle_ping",
        "keepalive_timeout",
        "on_task_complete",
        "send",
    ),
    uvicorn.Server: ("handle_exit", "startup", "main_loop", "serve", "shutdown"),
}
"""Methods of uvicorn that ours override or call, and that it promises nobody. Without one of them, ours would never be
called, and protections be gone without a word."""


def check_built_on(built_on: Mapping[type, Sequence[str]]) -> None:
    """Refuse a uvicorn that lacks a method which this program is built on.

    Raises:
        ImportError: it does, or has something else under its name.
    """
    missing = [f"{kind.__name__}.{name}" for kind, names in built_on.items() for name in names if not _has(kind, name)]
    if missing:
        raise ImportError(
            f"uvicorn {uvicorn.__version__} has no {', '.join(missing)}, which the gateway is built on; "
            "install a version that its package asks for"
        )


def _has(kind: type, name: str) -> bool:
    return callable(getattr(kind, name, None))


check_built_on(_BUILT_ON)


class _ShortQueue(list[Any]):
    """What stands in for a deque that has an item or two at times."""

    __slots__ = ()

    def popleft(self) -> Any:
        """See :class:`collections.deque`."""
        return self.pop(0)

    def appendleft(self, item: Any) -> None:
        """See :class:`collections.deque`."""
        self.insert(0, item)


def _shorten(owner: Any, *names: str) -> None:
    """Replace the deques that an object has under some names."""
    for name in names:
        found = getattr(owner, name, None)
        if found.__class__ is deque:
            setattr(owner, name, _ShortQueue(found))


class LeanHttpProtocol(HttpToolsProtocol):
    """See the module."""

    def connection_made(self, transport: Any) -> None:
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        _shorten(self, "pipeline")
        _shorten(getattr(self.flow, "_is_writable_event", None), "_waiters")

    def on_headers_complete(self) -> None:
        """See ``httptools.HttpRequestParser``."""
        super().on_headers_complete()
        if self.cycle is not None:
            _shorten(self.cycle.message_event, "_waiters")


class LeanWebSocketProtocol(WebSocketsSansIOProtocol):
    """See the module."""

    def connection_made(self, transport: Any) -> None:
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        _shorten(self.writable, "_waiters")
        _shorten(self.queue, "_queue", "_getters", "_putters")
        _shorten(getattr(self.queue, "_finished", None), "_waiters")

    def handle_connect(self, event: Any) -> None:
        """Begin the conversation; its scope offers :data:`FRAMES` where nothing is compressed."""
        super().handle_connect(event)
        if self.response.status_code == 101 and not self.conn.extensions:
            self.scope["extensions"][FRAMES] = {}

    def handle_ping(self) -> None:
        """Answer, unless the client lets earlier answers lie: those would be kept without bound."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        """Close; a client that gave no sign and has not read what waits does not read that either."""
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def on_task_complete(self, task: Any) -> None:
        """Leave the client a time to read the last words of the application."""
        super().on_task_complete(task)
        if self.transport.get_write_buffer_size():
            self.loop.call_later(_UNREAD_S, self.transport.abort)

    async def send(self, message: Any) -> None:
        """See ASGI."""
        frames = message.get(FRAMES)
        if frames is None:
            await super().send(message)
            if message["type"] == "websocket.accept":
                self.request.headers.clear()  # the scope has what the application reads
                self.response.headers.clear()
            return
        await self.writable.wait()
        if self.handshake_complete and not self.close_sent and not self.disconnected:
            self.transport.write(frames)
