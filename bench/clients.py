"""Clients that cost little: bytes in, bytes out. A library for each protocol would be what is measured."""

from __future__ import annotations

import asyncio
import os
import re
import struct
from collections.abc import Callable
from typing import cast

import orjson

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-protocol: graphql-transport-ws\r\n"
    b"sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
"""As browsers ask: with compression."""


def post(body: bytes, accept: bytes = b"application/json", path: bytes = b"/graphql", more: bytes = b"") -> bytes:
    """Return a request."""
    return (
        b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"accept: %s\r\n%scontent-length: %d\r\n\r\n" % (path, accept, more, len(body))
    ) + body


def frame(message: bytes, kind: int = 0x81) -> bytes:
    """Return a masked WebSocket frame."""
    mask = os.urandom(4)
    size = len(message)
    head = bytes([kind])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(message) ^ int.from_bytes(key)).to_bytes(size)


class Exchange(asyncio.Protocol):
    """One request after the other over one kept connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_lost = False
        self._buffer = bytearray()
        self._needed = 0
        self._answer: asyncio.Future[tuple[int, int]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is of no common class

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See :class:`asyncio.Protocol`."""
        self.is_lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the connection was lost"))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, int]]:
        """Send a request; the future gives status and size of the body."""
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._buffer.clear()
        self._needed = 0
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._buffer, 0, end)
            self._needed = end + 4 + (int(found[1]) if found else 0)
        if len(self._buffer) >= self._needed and self._answer is not None and not self._answer.done():
            self._answer.set_result((int(self._buffer[9:12]), len(self._buffer)))


class Listener(asyncio.Protocol):
    """One stream that is listened to: tells when it is open, and hands on what comes after that."""

    def __init__(self, hello: bytes, opened: bytes, more: bytes, heard: Callable[[Listener, bytes], None]) -> None:
        self._hello = hello
        self._opened_by = opened
        self._more = more
        self._heard = heard
        self._head = b""
        self.tail = b""
        self.is_open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is of no common class
        self.transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        if b"\x89\x04" in data and self.is_open.done():
            self._answer_ping(data)
        if self.is_open.done():
            self._heard(self, data)
            return
        self._head += data
        if b"101 Switching" in self._head and self._more:
            more, self._more = self._more, b""
            self.transport.write(more)
        if self._opened_by in self._head:
            self.is_open.set_result(self._head)
            self._head = b""

    def _answer_ping(self, data: bytes) -> None:
        """Answer the server's pings, which have 4 bytes, as every WebSocket client does: else it is cut."""
        at = data.index(b"\x89\x04")
        self.transport.write(frame(data[at + 2 : at + 6], 0x8A))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See :class:`asyncio.Protocol`."""
        if not self.is_open.done():
            self.is_open.set_exception(ConnectionResetError(f"refused: {self._head[:300]!r}"))


SUBSCRIPTION = {"query": "subscription { ticks { at number } }"}


def subscriber(protocol: str, heard: Callable[[Listener, bytes], None]) -> Listener:
    """Return a subscriber of the ticks by ``SSE`` or ``WebSocket`` (graphql-transport-ws)."""
    if protocol == "SSE":
        return Listener(post(orjson.dumps(SUBSCRIPTION), b"text/event-stream"), b"text/event-stream", b"", heard)
    subscribe = orjson.dumps({"id": "1", "type": "subscribe", "payload": SUBSCRIPTION})
    more = frame(b'{"type":"connection_init"}') + frame(subscribe)
    return Listener(UPGRADE, b"connection_ack", more, heard)
