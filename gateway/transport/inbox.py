"""What a subgraph has sent for one subscription and nobody has taken yet: bounded, and with an eye on signs of life."""

from __future__ import annotations

import asyncio
from collections import deque

from gateway.transport.ws_messages import StreamFault

__all__ = ["HOLD_S", "Inbox"]

HOLD_S = 15.0
"""Longest wait of a delivery for a free place: longer than a slow client is given by default, so that such a client is
told so before its stream breaks; shorter than servers usually leave a request without an answer."""

MISSED_BEATS = 2
"""Intervals without a sign of life after which a subgraph counts as gone: a sign may be late by its own way here."""


class Inbox:
    """The events of one subscription. A delivery waits while the inbox is full, so that the subgraph waits as well.

    Args:
        max_waiting: events that are kept, and deliveries that may wait for a place.
        heartbeat_s: seconds within which each sign of life is due.
    """

    def __init__(self, max_waiting: int, heartbeat_s: float, hold_s: float = HOLD_S) -> None:
        self._max_waiting = max_waiting
        self._patience_s = heartbeat_s * MISSED_BEATS
        self._hold_s = hold_s
        self._events: deque[bytes | None] = deque()
        self._held = 0
        self._fault: StreamFault | None = None
        self._changed = asyncio.Condition()
        self._heard_at = asyncio.get_running_loop().time()
        self._is_closed = False
        self.is_confirmed = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is taken any more."""
        return self._is_closed or self._fault is not None

    def hear(self) -> None:
        """Note a sign of life."""
        self.is_confirmed = True
        self._heard_at = asyncio.get_running_loop().time()

    async def put(self, *events: bytes | None) -> bool:
        """Add events in order, None for the end; False when nobody takes them any more."""
        self.hear()
        if self._held >= self._max_waiting:
            await self.fail("more events wait than may")
        self._held += 1
        try:
            async with asyncio.timeout(self._hold_s), self._changed:
                await self._changed.wait_for(lambda: self.is_over or len(self._events) < self._max_waiting)
                if self.is_over:
                    return False
                self._events.extend(events)
                self._changed.notify_all()
                return True
        except TimeoutError:
            await self.fail(f"its events waited for {self._hold_s:g} s without being taken")
            return False
        finally:
            self._held -= 1

    async def take(self) -> bytes | None:
        """Return the next event, None after the last one.

        Raises:
            StreamFault: the subgraph gave no sign of life, or the stream was given up; what had come before is taken.
        """
        loop = asyncio.get_running_loop()
        async with self._changed:
            while not self._events:
                if self._fault is not None:
                    raise self._fault
                due = self._heard_at + self._patience_s
                if loop.time() >= due:
                    raise StreamFault(f"the subgraph gave no sign of life for {self._patience_s:g} s")
                try:
                    async with asyncio.timeout_at(due):
                        await self._changed.wait()
                except TimeoutError:
                    continue  # it may have been heard meanwhile
            event = self._events.popleft()
            self._changed.notify_all()
            return event

    async def fail(self, reason: str) -> None:
        """Give the stream up; deliveries that wait are refused."""
        async with self._changed:
            self._fault = self._fault or StreamFault(reason)
            self._changed.notify_all()

    async def close(self) -> None:
        """Take nothing any more."""
        async with self._changed:
            self._is_closed = True
            self._events.clear()
            self._changed.notify_all()
