"""Let those who miss the same thing at the same time wait for one fetch.

A fetch that began before something changed serves nobody who reads after: they begin another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Flights"]

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    began_at: int
    waiting: int = 0


class Flights(Generic[T]):
    """Fetches under way, by what is asked. What they bring is shared and must not be changed."""

    def __init__(self) -> None:
        self._flights: dict[bytes, _Flight[T]] = {}

    async def run(self, key: bytes, now: int, changed_at: int, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what ``start`` brings, or an equal one that began after the last change.

        Cancel/retry: the fetch goes on as long as anybody waits for it.
        """
        flight = self._flights.get(key)
        if flight is None or flight.began_at <= changed_at or flight.task.done():
            flight = _Flight(asyncio.get_running_loop().create_task(start()), now)
            self._flights[key] = flight
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if (flight.task.done() or flight.waiting == 0) and self._flights.get(key) is flight:
                del self._flights[key]
            if flight.waiting == 0 and not flight.task.done():
                flight.task.cancel()
