"""Subscriptions of operations: processes and tasks followed through the event log, resumed like those of orders."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from events.ports import CursorUnknown, EventLog
from resolvers.access import can_see, is_customer
from resolvers.gap import Gap
from schema.events.envelope import EventFilter, StoredEvent
from schema.graphql.errors import Forbidden
from schema.records.identity import Principal

__all__ = ["follow_process", "follow_tasks"]

PROCESS_EVENTS = ("process.*",)
TASK_EVENTS = ("task.*",)


async def follow_process(log: EventLog, process_id: str, after: str | None) -> AsyncGenerator[StoredEvent, None]:
    """Yield events about a process, each once, in the order of the log.

    Raises:
        Gap: on the first step, when the log does not hold ``after``.
    """
    async with aclosing(_follow(log, EventFilter(types=PROCESS_EVENTS, subject=process_id), after)) as events:
        async for stored in events:
            yield stored


async def follow_tasks(
    log: EventLog, queue: str | None, after: str | None, principal: Principal
) -> AsyncGenerator[StoredEvent, None]:
    """Yield events about the tasks of a queue, or of all, each once, in the order of the log.

    Raises:
        Forbidden: the principal is a customer.
        Gap: on the first step, when the log does not hold ``after``.
    """
    if is_customer(principal):
        raise Forbidden(f"exceptionTaskChanged: {principal.subject} may not do this, tasks are for our own people")
    async with aclosing(_follow(log, EventFilter(types=TASK_EVENTS), after)) as events:
        async for stored in events:
            account_id = stored.event.account_id
            is_seen = account_id is None or can_see(principal, account_id)
            if is_seen and (queue is None or stored.event.data.get("queue") == queue):
                yield stored


async def _follow(log: EventLog, where: EventFilter, after: str | None) -> AsyncGenerator[StoredEvent, None]:
    try:
        async with aclosing(log.follow(where, after)) as events:
            async for stored in events:
                yield stored
    except CursorUnknown as error:
        raise Gap(error.cursor) from error
