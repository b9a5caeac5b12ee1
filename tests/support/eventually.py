"""Waiting for something that will be so and that nobody tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

WITHIN_S = 30.0
_PAUSE_S = 0.05

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], object], within_s: float = WITHIN_S) -> T:
    """Return the first answer that is wanted; the last one that was not is shown when time is over."""
    found = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                found = await ask()
                if wanted(found):
                    return found
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise AssertionError(f"after {within_s:g} s it still is {found!r}") from None
