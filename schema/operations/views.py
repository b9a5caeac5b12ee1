"""What the operations subgraph shows, before it is put into GraphQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from schema.enums import SourceSystem
from schema.events.envelope import Event, EventPlace

__all__ = ["HistoryPage", "LineageEntry", "OwnershipRule", "SystemStatus"]


@dataclass(frozen=True, slots=True)
class LineageEntry:
    """An event as somebody may see it.

    Attributes:
        event: what happened.
        place: where it stands in the history.
        summary: what happened in a sentence.
        actor: who did it, as far as the reader may know.
        data: the facts, None to those who may not read them.
    """

    event: Event
    place: EventPlace
    summary: str
    actor: str
    data: Any


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of a history, earliest first.

    Attributes:
        entries: the events.
        has_next: whether events may follow.
        end: from where the next page goes on; behind the last event that was looked at, so that a page with few or no
            events still leads on. None when nothing was looked at.
        total: how many events there are in all, None when that was not counted.
    """

    entries: tuple[LineageEntry, ...]
    has_next: bool
    end: EventPlace | None
    total: int | None


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """How a system does: what its callers saw, what waits for it, when it was last heard."""

    system: SourceSystem
    circuit: str
    p95_ms: int | None
    error_rate: Decimal | None
    queued: int
    oldest_queued_s: int | None
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True)
class OwnershipRule:
    """Which system decides about a group of fields. ``condition`` None means always; ``team`` answers for it."""

    object: str
    field_group: str
    owner: SourceSystem
    condition: str | None
    team: str
