"""What the platform keeps of its processes: their log, keys of clients, places in feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.audit import AuditEntry
from schema.records.operations import ProcessRecord, ProcessStepRecord


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A client idempotency key as it was used. ``scope`` is tenant, principal and operation.

    ``request`` is what the audit keeps of the request, in the commit that records the use.
    """

    scope: str
    key: str
    payload_hash: str
    process_id: str
    request: AuditEntry | None = None


class KeyRegistry(Protocol):
    """Client idempotency keys, kept 30 days. System of record: platform."""

    async def claim(self, use: KeyUse, now: datetime) -> KeyUse:
        """Record the use when the key is new in its scope and return what is recorded: own use, or the earlier one."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a system: how many processes, and since when the oldest of them runs."""

    processes: int
    oldest_started_at: datetime


class ProcessLog(Protocol):
    """How each process went, written by the processes and read by the operations graph. System of record: platform."""

    async def start(self, process: ProcessRecord, events: Sequence[Event] = ()) -> None:
        """Record a started process and its events once."""
        ...

    async def set_state(self, process_id: str, state: ProcessState, at: datetime, events: Sequence[Event] = ()) -> None:
        """Record a state; a final state sets the end."""
        ...

    async def step(self, process_id: str, *steps: ProcessStepRecord) -> None:
        """Create steps, or replace those with the same name; steps keep the order of their creation."""
        ...

    async def processes(self, ids: Sequence[str]) -> Mapping[str, ProcessRecord]:
        """Return processes with their steps in order by id."""
        ...

    async def processes_of(self, business_keys: Sequence[str]) -> Mapping[str, tuple[ProcessRecord, ...]]:
        """Return processes per business key, oldest first."""
        ...

    async def waiting(self) -> Mapping[SourceSystem, Waiting]:
        """Return what waits for each system to answer; systems that nothing waits for are absent."""
        ...


class FeedCursors(Protocol):
    """How far feeds of other systems are read. System of record: platform."""

    async def place(self, feed: str) -> int:
        """Return the last entry that was read of a feed, 0 before the first."""
        ...

    async def move(self, feed: str, entry: int) -> None:
        """Note that a feed is read up to an entry; it never goes back."""
        ...
