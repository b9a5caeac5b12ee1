# No postponed annotations: strawberry reads them.
"""What happened, as a line of a story."""

import datetime as dt

import strawberry
from strawberry.scalars import JSON

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import SourceSystem
from schema.operations.views import LineageEntry

__all__ = ["OPS_READ", "LineageEvent"]

OPS_READ = "ops:read"
"""Scope of those who run the platform."""


@strawberry.type(description="Something that happened.")
class LineageEvent:
    """Something that happened."""

    event_id: strawberry.ID
    type: str
    at: dt.datetime
    system: SourceSystem
    actor: str = strawberry.field(description="`user:<id>` or `system:<name>`; customers are not told which person.")
    manual: bool = strawberry.field(description="Whether a person did it.")
    subject: str
    summary: str
    data: JSON | None = strawberry.federation.field(requires_scopes=[[OPS_READ]], description="The facts.")

    @classmethod
    def of(cls, entry: LineageEntry) -> "LineageEvent":
        """Return an event as a graph value."""
        event = entry.event
        return cls(
            event_id=strawberry.ID(event.id),
            type=event.type,
            at=event.occurred_at,
            system=event.system,
            actor=entry.actor,
            manual=event.manual,
            subject=event.subject,
            summary=entry.summary,
            data=entry.data,
        )
