# No postponed annotations: strawberry reads them.
"""How systems do, and which of them decides about what."""

import datetime as dt
import decimal

import strawberry

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import SourceSystem
from schema.operations import views

__all__ = ["OwnershipRule", "SystemStatus"]


@strawberry.type(description="How a system does.")
class SystemStatus:
    """How a system does."""

    system: SourceSystem
    circuit: str = strawberry.field(description="CLOSED, OPEN (it is left alone) or HALF_OPEN (one call probes it).")
    p95_ms: int | None = strawberry.field(description="95 % of the calls of the last five minutes took no longer.")
    error_rate: decimal.Decimal | None = strawberry.field(description="Share of those calls that failed, 0 to 1.")
    queued: int = strawberry.field(description="Processes that wait for it.")
    oldest_queued_seconds: int | None = strawberry.field(description="Age of the oldest process that waits for it.")
    last_event_at: dt.datetime | None = strawberry.field(description="When its last event was recorded.")

    @classmethod
    def of(cls, view: views.SystemStatus) -> "SystemStatus":
        """Return a status as a graph value."""
        return cls(
            system=view.system,
            circuit=view.circuit,
            p95_ms=view.p95_ms,
            error_rate=view.error_rate,
            queued=view.queued,
            oldest_queued_seconds=view.oldest_queued_s,
            last_event_at=view.last_event_at,
        )


@strawberry.type(description="Which system decides about a group of fields, and which team answers for them.")
class OwnershipRule:
    """Which system decides about a group of fields."""

    object: str
    field_group: str
    owner: SourceSystem
    condition: str | None
    team: str

    @classmethod
    def of(cls, view: views.OwnershipRule) -> "OwnershipRule":
        """Return a rule as a graph value."""
        return cls(
            object=view.object,
            field_group=view.field_group,
            owner=view.owner,
            condition=view.condition,
            team=view.team,
        )
