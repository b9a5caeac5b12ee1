"""Records of the audit: who did what through which operation, before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from schema.events.envelope import Event

__all__ = ["PLATFORM", "AuditEntry", "Change", "is_audited"]

PLATFORM = "system:crossdock"
"""The platform itself, whose steps are in the process log and the event log; everybody else is audited."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act, or the attempt at one.

    Attributes:
        actor: who: ``user:<id>`` or ``system:<name>``.
        operation: through what: the field of the graph that was asked for, or the type of the event that it became.
        outcome: REQUESTED, REPLAYED, CONFLICT (another request has the key), DONE or REFUSED.
        subject: platform id of what it is about.
        before: the fields that changed as they were, None when there was nothing.
        after: the same fields as they became; of a request what was asked for.
    """

    actor: str
    operation: str
    outcome: str
    subject: str | None = None
    account_id: str | None = None
    correlation_id: str | None = None
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Change:
    """A record as JSON before and after a change."""

    before: Any
    after: Any


def is_audited(events: Iterable[Event]) -> bool:
    """Return whether somebody other than the platform acted."""
    return any(event.actor != PLATFORM for event in events)
