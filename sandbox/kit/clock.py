"""The time of a sandbox, which can run faster than ours."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

__all__ = ["MAX_SPEED", "SandboxClock"]

MAX_SPEED = 100_000.0
"""Fastest clock: above a day per second nobody can follow."""


class SandboxClock:
    """A clock that begins at ``start`` and runs ``speed`` times as fast as ours.

    Raises:
        ValueError: ``speed`` is not above 0 and up to ``MAX_SPEED``, or ``start`` has no time zone.
    """

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        if start.tzinfo is None:
            raise ValueError("the clock's start has no time zone")
        self._speed = _checked(speed)
        self._base = start.astimezone(UTC)
        self._since = time.monotonic()
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        """How many seconds pass here in one of ours."""
        return self._speed

    def now(self) -> datetime:
        """Return the simulated time, in UTC."""
        return self._base + timedelta(seconds=(time.monotonic() - self._since) * self._speed)

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from now on; those who wait are told.

        Raises:
            ValueError: the speed is out of range.
        """
        checked = _checked(speed)
        self._base, self._since, self._speed = self.now(), time.monotonic(), checked
        self._tell()

    def advance(self, by: timedelta) -> None:
        """Jump ahead.

        Raises:
            ValueError: ``by`` is negative: time does not run back.
        """
        if by < timedelta(0):
            raise ValueError("the clock does not run back: advance by a positive time")
        self._base, self._since = self.now() + by, time.monotonic()
        self._tell()

    async def wait(self, simulated: timedelta) -> None:
        """Return when so much simulated time has passed."""
        await self.wait_until(self.now() + simulated)

    async def wait_until(self, moment: datetime) -> None:
        """Return when the simulated time has come, also after a jump or a change of speed."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), left / self._speed)
            except TimeoutError:
                continue

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _checked(speed: float) -> float:
    if not 0 < speed <= MAX_SPEED:
        raise ValueError(f"clock speed {speed!r}: give a number above 0 and up to {MAX_SPEED:g}")
    return float(speed)
