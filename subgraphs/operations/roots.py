# No postponed annotations: strawberry reads them.
"""Root fields of the operations subgraph."""

import dataclasses
import datetime as dt
from typing import Annotated

import strawberry
from strawberry import Info

from resolvers.operations.ownership import OWNERSHIP
from resolvers.operations.reader import MAX_STORY, OperationsReader
from schema.enums import KpiName, SourceSystem
from schema.graphql.decorators import federated_field
from schema.graphql.paging import Connection, connection, page_request
from schema.operations.figures import KpiPoint
from schema.operations.lineage import OPS_READ, LineageEvent
from schema.operations.process import ProcessInstance
from schema.operations.queues import DeadLetter, ExceptionTask
from schema.operations.systems import OwnershipRule, SystemStatus
from subgraphs.context import RequestContext

__all__ = ["Query"]

_Ctx = Info[RequestContext[OperationsReader], None]


async def _lineage(info: _Ctx, correlation_id: strawberry.ID) -> list[LineageEvent]:
    return [LineageEvent.of(entry) for entry in await info.context.reader.story(correlation_id)]


@strawberry.type
class Query:
    """Reads of what goes on behind the graph."""

    @strawberry.field
    async def process(self, info: _Ctx, id: strawberry.ID) -> ProcessInstance | None:  # noqa: A002 - the argument
        """The process with this id."""
        found = await info.context.reader.process(id)
        return None if found is None else ProcessInstance.of(found)

    @strawberry.field
    async def exception_tasks(
        self,
        info: _Ctx,
        queue: str | None = None,
        state: str | None = "OPEN",
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[ExceptionTask]:
        """What people must decide, earliest due first; with a null state whatever became of it."""
        found = await info.context.reader.search_tasks(queue, state, page_request(first, after))
        return connection(found, ExceptionTask.of, after)

    @federated_field(requires_scopes=[[OPS_READ]])
    async def dead_letters(
        self, info: _Ctx, source: SourceSystem | None = None, first: int | None = 25, after: str | None = None
    ) -> Connection[DeadLetter]:
        """Messages that could not be handled, oldest first."""
        found = await info.context.reader.search_letters(source, page_request(first, after))
        return connection(found, DeadLetter.of, after)

    @federated_field(requires_scopes=[[OPS_READ]])
    async def systems(self, info: _Ctx) -> list[SystemStatus]:
        """How every connected system does, by name."""
        return [SystemStatus.of(status) for status in await info.context.reader.systems()]

    @strawberry.field
    async def kpi(
        self,
        info: _Ctx,
        name: KpiName,
        from_: Annotated[dt.date, strawberry.argument(name="from")],
        to: dt.date,
        group_by: str | None = None,
    ) -> list[KpiPoint]:
        """A key figure over days, both included; all of them group by day, week or month, and each by what it is of."""
        found = await info.context.reader.figure(name, from_, to, group_by)
        return [KpiPoint(**dataclasses.asdict(point)) for point in found]

    @strawberry.field
    def system_of_record(self) -> list[OwnershipRule]:
        """Which system decides about what."""
        return [OwnershipRule.of(rule) for rule in OWNERSHIP]

    lineage: list[LineageEvent] = strawberry.field(
        resolver=_lineage,
        description="The story that events with this correlation id tell, earliest first: at most its first "
        f"{MAX_STORY} events. Lineage of the order or the quote leads on.",
    )
