"""What a connection may cost whatever is asked by it: how many there are, how slowly they send and read.

A sender that lets a request trickle in holds a connection and its buffers for as long as it likes. So a head has a
time in which it must have come, and a body a time that grows with what has come of it: who sends at the least rate is
never cut. The clock of a connection only runs while a request is incomplete, so that one that comes in one piece, as
nearly all do, sets none. Nor does an answer that the other side takes: only one that is left lying, beyond what the
system's own buffers hold, is looked at from time to time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.config import GatewaySettings
from gateway.errors import ErrorCode
from gateway.server.lean_uvicorn import LeanHttpProtocol

__all__ = ["Connections"]

_SPARE_SHARE = 8
"""One part in so many of the most connections may be open besides, to be told that there are too many."""

LINGER_S = 1.0
"""Seconds for which a connection that got its last answer is read on, unless the other side ends it before."""

_RETRY_AFTER = b"retry-after: 1\r\n"


@dataclass(frozen=True, slots=True)
class _Bounds:
    head_s: float
    body_s: float
    body_bytes_per_s: int
    idle_s: float
    most: int
    max_message_bytes: int
    answer_s: float


class Connections:
    """The connections of one process.

    Args:
        settings: what they are bounded by.
        refused: is told the code of each that is cut or turned away.

    Attributes:
        bounds: those of the settings that hold now.
    """

    def __init__(self, settings: GatewaySettings, refused: Callable[[str], None]) -> None:
        self.refused = refused
        self.change(settings)

    def change(self, settings: GatewaySettings) -> None:
        """Bound what comes from now on otherwise."""
        limits, server = settings.limits, settings.server
        self.bounds = _Bounds(
            limits.head_timeout,
            limits.body_timeout,
            limits.min_body_rate,
            server.keep_alive,
            limits.max_connections,
            limits.max_request_bytes,
            limits.answer_timeout,
        )

    @property
    def protocol(self) -> type[asyncio.Protocol]:
        """The class that serves one connection, for uvicorn."""
        return type("BoundedProtocol", (_Protocol,), {"held": self})


class _Phase(Enum):
    """What of a request is awaited of the sender."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class _Protocol(LeanHttpProtocol):
    """Serves one connection, as uvicorn does, and watches its sender."""

    held: Connections

    # Slots, since more than thirty attributes in one dictionary cost each connection another KiB.
    __slots__ = (
        "_bounds",
        "_clock",
        "_is_answered",
        "_is_turned_away",
        "_is_upgraded",
        "_minded",
        "_phase",
        "_received",
        "_since",
        "_unread",
    )

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._bounds = self.held.bounds
        self.timeout_keep_alive = self._bounds.idle_s  # type: ignore[assignment]  # a timer takes parts of seconds
        self._phase = _Phase.NOTHING
        self._minded: object = None
        """The request whose phase it is."""
        self._received = 0
        self._since = 0.0
        self._clock: asyncio.TimerHandle | None = None
        self._is_turned_away = False
        self._is_upgraded = False
        self._unread: asyncio.TimerHandle | None = None
        self._is_answered = False
        """Whether the connection got its last answer, and what comes yet is dropped."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and wait for a request."""
        super().connection_made(transport)
        most = self._bounds.most
        if len(self.connections) > most:
            self._is_turned_away = True
            self.held.refused(ErrorCode.OVERLOADED)
            if len(self.connections) > most + most // _SPARE_SHARE + 1:
                transport.abort()
                return
        self._enter(_Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._enter(_Phase.NOTHING)
        self._forget_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait with what comes next, and look whether the other side reads at all."""
        super().pause_writing()
        self._forget_unread()
        self._mind_unread()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._forget_unread()

    def data_received(self, data: bytes) -> None:
        """Take what came, and look what is missing yet."""
        if self._is_answered:
            return
        if self._is_turned_away:
            message = "the gateway has more connections than it takes; try again in a moment"
            self._answer(b"503 Service Unavailable", ErrorCode.OVERLOADED, message, _RETRY_AFTER)
            return
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._enter(_Phase.NOTHING)
            return
        phase = self._awaited()
        if phase is not self._phase or (phase is not _Phase.NOTHING and self._minded is not self.scope):
            self._enter(phase)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; what it sends from now on is no request."""
        self.config.ws_max_size = self.held.bounds.max_message_bytes
        super().handle_websocket_upgrade()
        self._is_upgraded = True

    def _mind_unread(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self._bounds.answer_s, self._look_at_unread, left)

    def _look_at_unread(self, before: int) -> None:
        self._unread, cycle = None, self._last()
        is_being_written = cycle is not None and not cycle.response_complete and not self.transport.is_closing()
        if is_being_written or self.transport.get_write_buffer_size() < before:
            self._mind_unread()  # who writes a stream has a patience of its own
            return
        self.held.refused(ErrorCode.SLOW_CLIENT)
        self.transport.abort()

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _last(self) -> RequestResponseCycle | None:
        """Return the last request whose head has come."""
        return self.cycle  # the server's own type leaves out that there is none at first

    def _awaited(self) -> _Phase:
        cycle = self._last()
        if self._is_upgraded:
            return _Phase.NOTHING
        if cycle is None or cycle.scope is not self.scope:
            return _Phase.HEAD
        if cycle.more_body:
            return _Phase.BODY
        if cycle.response_complete and self.timeout_keep_alive_task is None:
            return _Phase.HEAD  # something came, such as an empty line, that begins no request yet
        return _Phase.NOTHING

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._minded = phase, self.scope
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        if phase is not _Phase.NOTHING:
            self._since, self._received = self.loop.time(), 0 if phase is _Phase.BODY else self._received
            self._wind(self._since + self._allowed_s())

    def _wind(self, when: float) -> None:
        self._clock = self.loop.call_at(when, self._ring)

    def _allowed_s(self) -> float:
        """Return how long the phase may last by what has come of it."""
        bounds = self._bounds
        if self._phase is _Phase.HEAD:
            return bounds.head_s
        return bounds.body_s + self._received / bounds.body_bytes_per_s

    def _ring(self) -> None:
        self._clock = None
        now, due = self.loop.time(), self._since + self._allowed_s()
        cycle = self._last()
        is_answering = cycle is not None and not cycle.response_complete
        if self._phase is _Phase.BODY and self.flow.read_paused:
            due = now + self._bounds.body_s  # the gateway does not read on, so the sender cannot go on
        elif self._phase is _Phase.HEAD and is_answering:
            due = now + self._bounds.head_s  # the answer to the request before is under way, and must not be cut
        if due > now:
            self._wind(due)
        else:
            self._cut()

    def _cut(self) -> None:
        is_body, cycle = self._phase is _Phase.BODY, self.cycle
        has_begun = self._received > 0
        if not has_begun and not is_body:
            self.transport.close()  # nothing was asked, so nothing is answered
            return
        self.held.refused(ErrorCode.REQUEST_TIMEOUT)
        if is_body and cycle.response_started:
            self.transport.abort()
            return
        if is_body:
            cycle.disconnected = True  # whoever reads the body learns that no more will come, and answers nothing
            cycle.message_event.set()
        what = "body" if is_body else "head"
        message = f"the {what} of the request did not come in time; send it faster, or in smaller requests"
        self._answer(b"408 Request Timeout", ErrorCode.REQUEST_TIMEOUT, message)

    def _answer(self, status: bytes, code: ErrorCode, message: str, more: bytes = b"") -> None:
        """Answer in place of the application, and close; what comes yet is read for a moment, lest the answer get lost.

        A connection that is closed while bytes wait to be read is reset, and the other side drops what it has not read.
        """
        body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json; charset=utf-8\r\n%bcontent-length: %d\r\n"
        self.transport.write(head % (status, more, len(body)) + b"connection: close\r\n\r\n" + body)
        self._is_answered = True
        self._enter(_Phase.NOTHING)
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._clock = self.loop.call_later(LINGER_S, self.transport.abort)
