"""How late the event loop is: the one figure that tells when this process has more to do than it can."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["LoopLag"]

PAUSE_S = 0.25
"""Between two looks; short enough to see what holds the loop up, long enough to cost nothing."""

REMEMBERED = 60
"""Looks of which the worst one is told, a quarter of a minute: about as often as metrics are read."""


class LoopLag:
    """Sleeps again and again, and remembers by how much it woke too late."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def worst_s(self) -> float:
        """Seconds by which the loop was late at worst, of late."""
        return max(self._late, default=0.0)

    async def run(self, then: Callable[[], None] = lambda: None) -> None:
        """Look for ever; after each look call ``then``."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PAUSE_S
            await asyncio.sleep(PAUSE_S)
            self._late.append(max(0.0, loop.time() - due))
            then()
