"""What resolvers may have persons decide, and operators set right: with an idempotency key, safe to repeat.

Business problems come back as values. Who may not decide gets :class:`processes.authority.NotEntitled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from processes.api import AccountStarter, ProcessStarter, Started
from schema.enums import HoldKind
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.values import Money

__all__ = [
    "DecisionDesk",
    "HoldRelease",
    "OperatorDesk",
    "OpsAnswer",
    "ProcessDesk",
    "ProcessRetry",
    "QuoteDecision",
    "Replay",
    "TaskResolution",
]


@dataclass(frozen=True, slots=True)
class HoldRelease:
    """A hold to release; without cap and end a credit hold is released for what the order comes to now, for 3 days."""

    order_id: str
    kind: HoldKind
    comment: str
    max_amount: Money | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuoteDecision:
    """A quote to approve or reject; ``version`` is that of the quote which the caller has seen."""

    quote_id: str
    version: int
    approve: bool
    comment: str


@dataclass(frozen=True, slots=True)
class TaskResolution:
    """A task to resolve by one of its resolutions."""

    task_id: str
    resolution: str
    comment: str


@dataclass(frozen=True, slots=True)
class ProcessRetry:
    """A process to go on with; ``step`` None is the step that it is parked at."""

    process_id: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """Dead letters to handle again: these, or all that fit every condition that is given.

    Attributes:
        letter_ids: ids of dead letters.
        correlation_id: the story that they belong to.
        start: first seen from then on.
        end: first seen before then.
        types: their types.
        dry_run: only count them.
    """

    letter_ids: tuple[str, ...] | None = None
    correlation_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    types: tuple[str, ...] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class OpsAnswer:
    """What became of what an operator asked for.

    Attributes:
        problems: why nothing was done.
        process_id: the process that goes on.
        accepted: messages or processes that are handled again.
    """

    problems: tuple[Problem, ...] = ()
    process_id: str | None = None
    accepted: int = 0


class DecisionDesk(Protocol):
    """Takes what persons decide about orders and quotes; their processes go on from it."""

    async def release_hold(self, release: HoldRelease, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Release a hold of an order."""
        ...

    async def decide_quote(self, decision: QuoteDecision, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Approve or reject a quote."""
        ...


class OperatorDesk(Protocol):
    """Takes what persons do about tasks, parked processes and dead letters."""

    async def claim_task(self, task_id: str, *, principal: Principal) -> OpsAnswer:
        """Make a task the principal's own."""
        ...

    async def resolve_task(self, resolution: TaskResolution, *, key: str, principal: Principal) -> OpsAnswer:
        """Resolve a task, which does what the resolution says."""
        ...

    async def retry_process(self, retry: ProcessRetry, *, key: str, principal: Principal) -> OpsAnswer:
        """Have a parked process go on, or one do a dead-lettered step again."""
        ...

    async def replay_messages(self, replay: Replay, *, key: str, principal: Principal) -> OpsAnswer:
        """Have dead letters handled again."""
        ...


class ProcessDesk(ProcessStarter, AccountStarter, DecisionDesk, OperatorDesk, Protocol):
    """Everything that subgraphs ask of processes."""
