"""How what goes on with a client ends when the gateway stops.

1. Subscriptions end at their source: each gets what had arrived, and then STOPPING with the cursor of its last event.
2. That is a result like any other and no end of the subscription: clients that connect again by themselves, such as
   ``EventSource``, ``graphql-sse`` and ``graphql-ws``, subscribe again at another process or at the next one.
3. Whatever keeps a connection open by itself is told to leave, and has a moment to say its last words.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import ErrorCode, RequestError
from gateway.transport.fan_out import Bell

__all__ = ["LAST_WORDS_S", "Leaves", "OpenConnections", "StopTimes", "has_stopped", "stopping"]

LAST_WORDS_S = 2.0
"""Seconds for which a client may leave the end of its stream unread; the connection is cut then."""

_RETRY_AFTER_S = 1


def stopping(cursor: str | None = None) -> RequestError:
    """Return what tells a client that the gateway stops; ``cursor`` is that of the last event which it has."""
    message = "the gateway is stopping; connect again and repeat the request"
    extensions: dict[str, object] = {"retryable": True}
    if cursor is not None:
        message = f"the gateway is stopping; connect again and subscribe after the last event, {cursor[:100]}"
        extensions["resumeAfter"] = cursor
    return RequestError(
        ErrorCode.STOPPING, message, http_status=503, retry_after_s=_RETRY_AFTER_S, extensions=extensions
    )


def has_stopped(fault: Exception | None) -> bool:
    """Tell whether a stream ended because the gateway stops."""
    return isinstance(fault, RequestError) and fault.code is ErrorCode.STOPPING


@dataclass(frozen=True, slots=True)
class StopTimes:
    """How long it may take to stop.

    Attributes:
        notice_s: seconds for which all goes on as before.
        timeout_s: seconds that requests under way have then.
    """

    notice_s: float
    timeout_s: float


class Leaves(Protocol):
    """A connection that stays open until its client leaves."""

    def leave(self, within_s: float) -> None:
        """Finish what is under way, for so many seconds at most, and then close."""
        ...


class OpenConnections:
    """The connections of a process that stay open until their clients leave."""

    def __init__(self) -> None:
        self._open: set[Leaves] = set()
        self._empty = Bell()
        self._within_s: float | None = None

    @property
    def are_leaving(self) -> bool:
        """Whether the gateway stops."""
        return self._within_s is not None

    def join(self, connection: Leaves) -> None:
        """Know a connection from now on; one that comes while all leave does so at once."""
        self._open.add(connection)
        if self._within_s is not None:
            connection.leave(self._within_s)

    def forget(self, connection: Leaves) -> None:
        """Know a connection no longer."""
        self._open.discard(connection)
        if not self._open:
            self._empty.ring()

    async def leave(self, within_s: float) -> None:
        """Let all connections leave, and return when none is open; those that take longer are not waited for."""
        self._within_s = within_s
        for connection in tuple(self._open):
            connection.leave(within_s)
        if not self._open:
            return
        try:
            async with asyncio.timeout(within_s + LAST_WORDS_S):
                await self._empty.wait()
        except TimeoutError:
            return
