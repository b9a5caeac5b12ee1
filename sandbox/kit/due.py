"""Work that falls due as a sandbox's clock runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from sandbox.kit.clock import SandboxClock

__all__ = ["DueWork"]

IDLE = timedelta(hours=1)
"""Longest simulated time between looks at what is due."""


class DueWork:
    """Does one piece of work after the other, each when its time has come.

    Args:
        clock: the sandbox's clock.
        step: does the earliest piece that is due, if one is, and returns when the next one is due, None when nothing
            is planned. It is called again at once while that time has passed, so it must do at least one such piece.
    """

    def __init__(self, clock: SandboxClock, step: Callable[[datetime], datetime | None]) -> None:
        self._clock = clock
        self._step = step
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look again: something was planned that may be due earlier than what is waited for."""
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled. Requests are served between two pieces of work, however many are due."""
        while True:
            self._changed.clear()
            now = self._clock.now()
            due = self._step(now)
            if due is not None and due <= now:
                await asyncio.sleep(0)
                continue
            until = now + IDLE if due is None else min(due, now + IDLE)
            waits = (asyncio.create_task(self._changed.wait()), asyncio.create_task(self._clock.wait_until(until)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
