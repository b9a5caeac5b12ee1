# No postponed annotations: strawberry reads them.
"""What people must look at: exception tasks and dead letters."""

import datetime as dt

import strawberry
from strawberry import Info
from strawberry.scalars import JSON

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import SourceSystem
from schema.graphql.values import Node
from schema.operations import owners
from schema.operations.context import OperationsContext
from schema.operations.process import ProcessInstance
from schema.records import operations as records

__all__ = ["DeadLetter", "ExceptionTask"]

_Ctx = Info[OperationsContext, None]


@strawberry.federation.type(keys=["id"], description="Something that a person must decide.")
class ExceptionTask(Node):
    """Something that a person must decide."""

    record: strawberry.Private[records.ExceptionTask]
    queue: str
    kind: str
    state: str
    order: owners.Order | None
    account: owners.Account | None
    summary: str
    opened_at: dt.datetime
    due_at: dt.datetime
    assignee: owners.User | None
    resolutions: list[str]

    @classmethod
    def of(cls, record: records.ExceptionTask) -> "ExceptionTask":
        """Return a task as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            queue=record.queue,
            kind=record.kind,
            state=record.state,
            order=owners.order(record.order_id),
            account=owners.account(record.account_id),
            summary=record.summary,
            opened_at=record.opened_at,
            due_at=record.due_at,
            assignee=owners.user(record.assignee),
            resolutions=list(record.resolutions),
        )

    @strawberry.field
    async def process(self, info: _Ctx) -> ProcessInstance | None:
        """The process that waits for the decision."""
        process_id = self.record.process_id
        found = None if process_id is None else await info.context.reader.process(process_id)
        return None if found is None else ProcessInstance.of(found)

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID,  # noqa: A002 - the key is called so
    ) -> "ExceptionTask | None":
        """Return the task that a representation names."""
        found = await info.context.reader.task(id)
        return None if found is None else cls.of(found)


@strawberry.federation.type(keys=["id"], description="A message that could not be handled, kept whole.")
class DeadLetter:
    """A message that could not be handled."""

    id: strawberry.ID
    source: SourceSystem
    type: str
    reason: str
    attempts: int
    first_seen: dt.datetime
    payload: JSON | None

    @classmethod
    def of(cls, record: records.DeadLetter) -> "DeadLetter":
        """Return a dead letter as a graph value."""
        return cls(
            id=strawberry.ID(record.id),
            source=record.source,
            type=record.type,
            reason=record.reason,
            attempts=record.attempts,
            first_seen=record.first_seen,
            payload=record.payload,
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "DeadLetter | None":  # noqa: A002 - the key
        """Return the dead letter that a representation names."""
        found = await info.context.reader.letter(id)
        return None if found is None else cls.of(found)
