"""What the rest of the house wants of the event log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter, EventPlace, StoredEvent

__all__ = ["CursorUnknown", "EventLog", "HistoryOwner"]

HistoryOwner = Literal["correlation_id", "account_id"]
"""Whose history: that of a story, or that of an account."""


class CursorUnknown(Exception):
    """The cursor is not in the log: it never was, or retention has passed it; events may have been missed."""

    def __init__(self, cursor: str) -> None:
        super().__init__(
            f"event {cursor!r} is not in the log (any more): read the current state, then follow without a cursor"
        )
        self.cursor = cursor


class EventLog(Protocol):
    """The append-only log of everything that happened; the truth that buses only carry."""

    async def append(self, events: Sequence[Event]) -> tuple[StoredEvent, ...]:
        """Append events in one commit and wake followers; events whose (source, id) is in the log are left out."""
        ...

    async def read(self, where: EventFilter, after: str | None, limit: int) -> tuple[StoredEvent, ...]:
        """Return matching events after the event with id ``after`` (None: from the start) in log order.

        Raises:
            CursorUnknown: ``after`` is not in the log.
        """
        ...

    async def read_on(self, where: EventFilter, position: int, limit: int) -> tuple[StoredEvent, ...]:
        """Return matching events behind a position in log order; whoever keeps the position misses none."""
        ...

    def follow(self, where: EventFilter, after: str | None) -> AsyncGenerator[StoredEvent, None]:
        """Yield matching events: the backlog after ``after``, then live ones, each once, in log order.

        ``after`` None starts at the end of the log. The first ``anext`` raises CursorUnknown for an unknown cursor.
        """
        ...

    async def histories(
        self, owner: HistoryOwner, keys: Sequence[str], where: EventFilter, after: EventPlace | None, limit: int
    ) -> Mapping[str, tuple[StoredEvent, ...]]:
        """Return the matching events of each story or account behind a place, in the order of their places.

        Args:
            owner: what the keys are.
            keys: correlation ids or account ids; each has an entry in the answer.
            where: further conditions.
            after: histories begin behind it; None begins at their start.
            limit: most events per key; at most 1,000 are given.
        """
        ...

    async def last_recorded(self) -> Mapping[SourceSystem, datetime]:
        """Return when the latest event of each system entered the log; systems without events are absent."""
        ...
