"""Records of processes, tasks and dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schema.enums import ProcessState, SourceSystem

__all__ = ["DeadLetter", "ExceptionTask", "ProcessRecord", "ProcessStepRecord"]


@dataclass(frozen=True, slots=True)
class ProcessStepRecord:
    """One step of a process as it went; ``idempotency_key`` is what the target system saw."""

    name: str
    state: str
    attempts: int
    system: SourceSystem
    idempotency_key: str
    started_at: datetime | None
    ended_at: datetime | None
    last_error: str | None
    compensated: bool


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A business process. ``business_key`` is the platform id of what it is about, ``kind`` the process's name."""

    id: str
    kind: str
    business_key: str
    state: ProcessState
    steps: tuple[ProcessStepRecord, ...]
    started_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    correlation_id: str
    trace_id: str | None
    started_by: str


@dataclass(frozen=True, slots=True)
class ExceptionTask:
    """Something a person must decide. ``kind`` is the problem's kind, ``resolutions`` what may be decided.

    ``state`` is OPEN, CLAIMED (by ``assignee``) or RESOLVED; ``resolution``, ``resolved_by`` and ``comment`` say how.
    ``warehouse_code`` is the only warehouse that it is a matter of, None when it is one of all of its order.
    """

    id: str
    queue: str
    kind: str
    state: str
    order_id: str | None
    account_id: str | None
    process_id: str | None
    summary: str
    opened_at: datetime
    due_at: datetime
    assignee: str | None
    resolutions: tuple[str, ...]
    resolution: str | None = None
    resolved_by: str | None = None
    comment: str | None = None
    warehouse_code: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be handled, kept whole; ``order_id`` where it is known to be about an order."""

    id: str
    source: SourceSystem
    type: str
    reason: str
    attempts: int
    first_seen: datetime
    payload: Any
    order_id: str | None = None
