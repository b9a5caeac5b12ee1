# No postponed annotations: strawberry reads them.
"""Business processes and their steps."""

import datetime as dt

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import ProcessState, SourceSystem
from schema.graphql.values import Node
from schema.operations.context import OperationsContext
from schema.records import operations as records

__all__ = ["ProcessInstance", "ProcessStep"]

_Ctx = Info[OperationsContext, None]


@strawberry.type(description="A step of a process as it went; the key is what the target system saw.")
class ProcessStep:
    """A step of a process."""

    name: str
    state: str
    attempts: int
    system: SourceSystem
    idempotency_key: str
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    last_error: str | None
    compensated: bool

    @classmethod
    def of(cls, record: records.ProcessStepRecord) -> "ProcessStep":
        """Return a step as a graph value."""
        return cls(
            name=record.name,
            state=record.state,
            attempts=record.attempts,
            system=record.system,
            idempotency_key=record.idempotency_key,
            started_at=record.started_at,
            ended_at=record.ended_at,
            last_error=record.last_error,
            compensated=record.compensated,
        )


@strawberry.federation.type(keys=["id"], description="A business process: it ends in every system or nowhere.")
class ProcessInstance(Node):
    """A business process."""

    record: strawberry.Private[records.ProcessRecord]
    kind: str
    business_key: str
    state: ProcessState = strawberry.federation.field(shareable=True)
    started_at: dt.datetime
    due_at: dt.datetime | None
    ended_at: dt.datetime | None
    correlation_id: strawberry.ID
    trace_id: str | None

    @classmethod
    def of(cls, record: records.ProcessRecord) -> "ProcessInstance":
        """Return a process as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            kind=record.kind,
            business_key=record.business_key,
            state=record.state,
            started_at=record.started_at,
            due_at=record.due_at,
            ended_at=record.ended_at,
            correlation_id=strawberry.ID(record.correlation_id),
            trace_id=record.trace_id,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID,  # noqa: A002 - the key is called so
    ) -> "ProcessInstance | None":
        """Return the process that a representation names."""
        found = await info.context.reader.process(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    def steps(self) -> list[ProcessStep]:
        """Steps in the order in which they began."""
        return [ProcessStep.of(step) for step in self.record.steps]

    @strawberry.field
    def slo_breached(self, info: _Ctx) -> bool:
        """Whether it took, or is taking, longer than it should."""
        due, ended = self.record.due_at, self.record.ended_at
        return due is not None and (ended or info.context.reader.now) > due
