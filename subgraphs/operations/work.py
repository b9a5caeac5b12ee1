# No postponed annotations: strawberry reads them.
"""What operators do, and follow: mutations and subscriptions of the operations subgraph."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry
from strawberry import Info

from processes.decision_api import OpsAnswer, ProcessRetry, Replay, TaskResolution
from resolvers.operations.follow import follow_process, follow_tasks
from resolvers.operations.operate import OPS_REPLAY, claim_task, replay_messages, resolve_task, retry_process
from resolvers.operations.reader import OperationsReader
from schema.graphql.decorators import federated_field
from schema.graphql.idempotent import Idempotent
from schema.graphql.resumable import Resumable
from schema.operations.payloads import (
    ProcessEvent,
    ReplayInput,
    ReplayPayload,
    TaskEvent,
    TaskPayload,
    ops_problem,
)
from schema.operations.process import ProcessInstance
from schema.operations.queues import ExceptionTask
from subgraphs.context import RequestContext

__all__ = ["Mutation", "Subscription"]

_Ctx = Info[RequestContext[OperationsReader], None]

_RESUMABLE = Resumable(cursor="eventId", argument="after")
_KEY_IN_INPUT = Idempotent(key="input.idempotencyKey")
_KEY = Idempotent(key="idempotencyKey")


@strawberry.type
class Mutation:
    """What operators do about tasks, parked processes and dead letters."""

    @strawberry.mutation
    async def exception_task_claim(self, info: _Ctx, id: strawberry.ID) -> TaskPayload:  # noqa: A002 - the argument
        """Make a task one's own; nobody else resolves it then."""
        context = info.context
        answer = await claim_task(context.reader.ports.desk, id, context.principal)
        return await _task_payload(context, id, answer)

    @strawberry.mutation(directives=[_KEY])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def exception_task_resolve(
        self,
        info: _Ctx,
        idempotency_key: str,
        id: strawberry.ID,  # noqa: A002 - the argument
        resolution: str,
        comment: str,
    ) -> TaskPayload:
        """Resolve a task by one of its `resolutions`, which does what it says: releases, rejects, retries, cancels."""
        context = info.context
        asked = TaskResolution(id, resolution, comment)
        answer = await resolve_task(context.reader.ports.desk, asked, idempotency_key, context.principal)
        return await _task_payload(context, id, answer)

    @federated_field(requires_scopes=[[OPS_REPLAY]], directives=[_KEY_IN_INPUT])
    async def messages_replay(self, info: _Ctx, input: ReplayInput) -> ReplayPayload:  # noqa: A002 - the argument
        """Have dead letters handled again, each under its own id and time; customers are not told of what is past."""
        context = info.context
        asked = Replay(
            letter_ids=None if input.dead_letter_ids is None else tuple(dict.fromkeys(input.dead_letter_ids)),
            correlation_id=input.correlation_id,
            start=input.from_,
            end=input.to,
            types=None if input.types is None else tuple(input.types),
            dry_run=bool(input.dry_run),
        )
        answer = await replay_messages(context.reader.ports.desk, asked, input.idempotency_key, context.principal)
        return await _replay_payload(context, answer)

    @strawberry.mutation(directives=[_KEY])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def process_retry(
        self, info: _Ctx, idempotency_key: str, process_id: strawberry.ID, step: str | None = None
    ) -> ReplayPayload:
        """Have a parked process go on from the step that it is parked at, or from an earlier one, `step`."""
        context = info.context
        asked = ProcessRetry(process_id, step)
        answer = await retry_process(context.reader.ports.desk, asked, idempotency_key, context.principal)
        return await _replay_payload(context, answer)


@strawberry.type
class Subscription:
    """Streams that go on after the last event seen."""

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def process_changed(
        self,
        info: _Ctx,
        id: strawberry.ID,  # noqa: A002 - the argument
        after: strawberry.ID | None = None,
    ) -> AsyncGenerator[ProcessEvent, None]:
        """What happens to a process; `after` is the last eventId seen, so that nothing is missed or told twice."""
        context = info.context
        async with aclosing(follow_process(context.reader.ports.events, id, after)) as events:
            async for stored in events:
                found = await context.renew().process(id)
                if found is not None:
                    yield ProcessEvent(
                        event_id=strawberry.ID(stored.event.id),
                        at=stored.event.occurred_at,
                        process=ProcessInstance.of(found),
                    )

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def exception_task_changed(
        self, info: _Ctx, queue: str | None = None, after: strawberry.ID | None = None
    ) -> AsyncGenerator[TaskEvent, None]:
        """Tasks of a queue, or of all, that are opened, claimed or resolved; `after` is the last eventId seen."""
        context = info.context
        stream = follow_tasks(context.reader.ports.events, queue, after, context.principal)
        async with aclosing(stream) as events:
            async for stored in events:
                found = await context.renew().task(str(stored.event.data.get("taskId")))
                if found is not None:
                    yield TaskEvent(
                        event_id=strawberry.ID(stored.event.id),
                        at=stored.event.occurred_at,
                        task=ExceptionTask.of(found),
                    )


async def _task_payload(context: RequestContext[OperationsReader], task_id: str, answer: OpsAnswer) -> TaskPayload:
    found = await context.renew().task(task_id)
    return TaskPayload(
        task=None if found is None else ExceptionTask.of(found),
        problems=[ops_problem(problem) for problem in answer.problems],
    )


async def _replay_payload(context: RequestContext[OperationsReader], answer: OpsAnswer) -> ReplayPayload:
    found = None if answer.process_id is None else await context.renew().process(answer.process_id)
    return ReplayPayload(
        accepted=answer.accepted,
        process=None if found is None else ProcessInstance.of(found),
        problems=[ops_problem(problem) for problem in answer.problems],
    )
