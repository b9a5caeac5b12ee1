"""End what a token allows when the token does.

A request is checked when it comes, but a subscription goes on: nothing of it may reach somebody whose token has expired
meanwhile. An event that is not complete by then is dropped, and a stream that can be resumed says after which event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from gateway.errors import ErrorCode, RequestError
from gateway.executor import ExecutionResult

__all__ = ["Place", "sleep_until_expiry", "until_expiry"]

_LONGEST_SLEEP_S = 60.0
"""Timers run by another clock than tokens, which may be set or stand still meanwhile: look again so often."""

Clock = Callable[[], float]


@dataclass(slots=True)
class Place:
    """The last event that a client has of its stream, by its cursor; None while nothing tells."""

    cursor: str | None = None


async def sleep_until_expiry(expires_at: float, clock: Clock = time.time) -> None:
    """Return at a Unix time, whatever happens to the clock until then."""
    while (left := expires_at - clock()) > 0:  # noqa: ASYNC110 - no event tells of a clock
        await asyncio.sleep(min(left, _LONGEST_SLEEP_S))


async def until_expiry(
    results: AsyncGenerator[ExecutionResult, None], expires_at: float, place: Place, clock: Clock = time.time
) -> AsyncGenerator[ExecutionResult, None]:
    """Yield results until a Unix time.

    Raises:
        RequestError: UNAUTHENTICATED, the time has come; ``resumeAfter`` names the last event of a resumable stream.
    """
    async with aclosing(results):
        while True:
            left = expires_at - clock()
            if left <= 0:
                raise _expired(place.cursor)
            try:
                async with asyncio.timeout(left) as coming:
                    result = await anext(results, None)
            except TimeoutError as error:
                if coming.expired():
                    raise _expired(place.cursor) from error
                raise
            if result is None:
                return
            if clock() >= expires_at:
                raise _expired(place.cursor)
            if result.cursor is not None:
                place.cursor = result.cursor
            yield result


def _expired(cursor: str | None) -> RequestError:
    message = "the token has expired; get a new one and subscribe again"
    extensions = {}
    if cursor is not None:
        message += f", after the last event, {cursor[:100]}"
        extensions = {"resumeAfter": cursor}
    return RequestError(ErrorCode.UNAUTHENTICATED, message, http_status=401, extensions=extensions)
