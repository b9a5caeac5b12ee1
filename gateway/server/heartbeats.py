"""Signs of life for idle connections: one timer for all of them, since a task for each would be most of what it costs.

Connections are spread over slots, and every connection is looked at twice in the pause after which it gets a sign of
life. So one that was quiet from one look to the next gets it after half the pause at the earliest and the whole at the
latest, and not all of them write at the same time.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["LOOKS", "Beats", "Heartbeats"]

LOOKS = 2
"""Times that a connection is looked at in each pause."""

_MOST_SLOTS = 64
_SHORTEST_TICK_S = 0.01
"""Slots come no closer together than this, however short the pause is set."""


class Beats(Protocol):
    """A connection that needs signs of life."""

    def look(self) -> None:
        """Give a sign of life when it is time."""
        ...


class Heartbeats:
    """The connections of one kind; ``pause_s`` is the time after which a quiet one gets a sign of life."""

    def __init__(self, pause_s: float) -> None:
        round_s = pause_s / LOOKS
        many = max(1, min(_MOST_SLOTS, int(round_s / _SHORTEST_TICK_S)))
        self._tick_s = round_s / many
        self._slots: list[set[Beats]] = [set() for _ in range(many)]
        self._many = 0
        self._next_slot = 0
        self._at = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, connection: Beats) -> int:
        """Look at a connection from now on; return where it is, for :meth:`leave`."""
        slot = self._next_slot
        self._next_slot = (slot + 1) % len(self._slots)
        self._slots[slot].add(connection)
        self._many += 1
        if self._timer is None:
            self._wind()
        return slot

    def leave(self, connection: Beats, slot: int) -> None:
        """Look at a connection no longer."""
        self._slots[slot].remove(connection)
        self._many -= 1
        if not self._many and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._look)

    def _look(self) -> None:
        self._wind()
        self._at = (self._at + 1) % len(self._slots)
        for connection in tuple(self._slots[self._at]):
            connection.look()
