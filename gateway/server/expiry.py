"""End what a token allows when the token does.

A request is checked when it comes, but a subscription goes on: nothing of it may reach somebody whose token has expired
meanwhile. An event that is not complete by then is dropped, and a stream that can be resumed says after which event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.errors import ErrorCode, RequestError

__all__ = ["ExpiryAlarm", "expired", "sleep_until_expiry", "until_expiry"]

_LONGEST_SLEEP_S = 60.0
"""Timers run by another clock than tokens, which may be set or stand still meanwhile: look again so often."""

Clock = Callable[[], float]


def _now() -> float:
    """Return the Unix time; looked up at each call, so that another clock can stand in for the whole module."""
    return time.time()


T = TypeVar("T")


class ExpiryAlarm:
    """Rings once at a Unix time, whatever happens to the clock until then."""

    __slots__ = ("_clock", "_expires_at", "_ring", "_timer")

    def __init__(self, expires_at: float, ring: Callable[[], None], clock: Clock = _now) -> None:
        self._expires_at = expires_at
        self._ring = ring
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._wind()

    @property
    def is_due(self) -> bool:
        """Whether the time has come."""
        return self._clock() >= self._expires_at

    def stop(self) -> None:
        """Do not ring any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wind(self) -> None:
        left = max(0.0, self._expires_at - self._clock())
        self._timer = asyncio.get_running_loop().call_later(min(left, _LONGEST_SLEEP_S), self._look)

    def _look(self) -> None:
        if self.is_due:
            self._ring()
        else:
            self._wind()


async def sleep_until_expiry(expires_at: float, clock: Clock = _now) -> None:
    """Return at a Unix time, whatever happens to the clock until then."""
    while (left := expires_at - clock()) > 0:  # noqa: ASYNC110 - no event tells of a clock
        await asyncio.sleep(min(left, _LONGEST_SLEEP_S))


async def until_expiry(result: Awaitable[T], expires_at: float | None, clock: Clock = _now) -> T:
    """Return a result that comes before a Unix time; None is no such time.

    Raises:
        RequestError: UNAUTHENTICATED, the time came first; the work was cancelled.
    """
    if expires_at is None:
        return await result
    try:
        async with asyncio.timeout(expires_at - clock()) as coming:
            found = await result
    except TimeoutError as error:
        if coming.expired():
            raise expired(None) from error
        raise
    if clock() >= expires_at:
        raise expired(None)
    return found


def expired(cursor: str | None) -> RequestError:
    """Return what tells a client that its token is over; ``cursor`` is that of the last event which it has."""
    message = "the token has expired; get a new one and subscribe again"
    extensions = {}
    if cursor is not None:
        message += f", after the last event, {cursor[:100]}"
        extensions = {"resumeAfter": cursor}
    return RequestError(ErrorCode.UNAUTHENTICATED, message, http_status=401, extensions=extensions)
