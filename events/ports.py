"""What the rest of the house wants of the event log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from schema.events.envelope import Event, EventFilter, StoredEvent

__all__ = ["CursorUnknown", "EventLog"]


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

    def follow(self, where: EventFilter, after: str | None) -> AsyncGenerator[StoredEvent, None]:
        """Yield matching events: the backlog after ``after``, then live ones, each once, in log order.

        ``after`` None starts at the end of the log. The first ``anext`` raises CursorUnknown for an unknown cursor.
        """
        ...
