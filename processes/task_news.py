"""What is told of tasks, and how they are claimed and resolved, whoever decided: each once, with who and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from processes.dependencies import Dependencies
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ExceptionTask
from schema.records.problems import NotAllowedInState

__all__ = [
    "CLAIMED",
    "PLATFORM",
    "RESOLVED",
    "claimed_elsewhere",
    "not_open",
    "overdue_task_id",
    "resolve_tasks",
    "resolve_tasks_of",
    "task_event",
]

CLAIMED = "CLAIMED"
RESOLVED = "RESOLVED"
TASKS = "/dist/tasks"
"""Source of events about tasks that are open already."""

PLATFORM = "system:crossdock"
"""Who resolves a task that needs nobody any more."""

MAX_WRITES = 8
"""Times that a task is written anew because somebody else wrote in between."""


def overdue_task_id(task_id: str) -> str:
    """Return the id of the task that is opened when an approval is not given in time."""
    return f"{task_id}_OVERDUE"


def claimed_elsewhere(tasks: Iterable[ExceptionTask], by: str) -> tuple[NotAllowedInState, ...]:
    """Return why a decision is not this person's: everybody who was asked for it and has not answered is another.

    A task that nobody has claimed, as one that is opened when nobody decides in time, leaves it to whoever is entitled.
    """
    waiting = [task for task in tasks if task.state != RESOLVED]
    if not waiting or any(task.state != CLAIMED or task.assignee == by for task in waiting):
        return ()
    return (not_open(waiting[0]),)


def not_open(task: ExceptionTask) -> NotAllowedInState:
    """Return that a task is another's, or done."""
    who = task.resolved_by if task.state == RESOLVED else task.assignee
    said = f"task {task.id} is {task.state.lower()}" + (f" by {who}" if who else "")
    return NotAllowedInState(code="NOT_ALLOWED_IN_STATE", message=said, state=task.state, allowed=())


async def task_event(
    use: Dependencies, task: ExceptionTask, what: str, key: str, actor: str, facts: dict[str, Any]
) -> Event:
    """Return the event that something was done about a task; it belongs to the story of the task's order or process."""
    about = task.order_id or task.id
    return Event(
        id=f"{task.id}:{key}",
        source=TASKS,
        type=f"task.{what}",
        subject=about,
        partition_key=about,
        correlation_id=await _story_of(use, task),
        system=SourceSystem.PLATFORM,
        occurred_at=use.clock.now(),
        data={
            "taskId": task.id,
            "queue": task.queue,
            "kind": task.kind,
            "summary": task.summary,
            **({} if task.order_id is None else {"orderId": task.order_id}),
            **facts,
        },
        account_id=task.account_id,
        actor=actor,
        manual=actor.startswith("user:"),
    )


async def resolve_tasks(
    use: Dependencies, tasks: Iterable[ExceptionTask], resolution: str, by: str, comment: str
) -> None:
    """Resolve the tasks of these that are open still; each tells so once."""
    for task in tasks:
        await _resolve(use, task, resolution, by, comment)


async def resolve_tasks_of(
    use: Dependencies, order_id: str, kinds: Collection[str], resolution: str, comment: str
) -> None:
    """Resolve the open tasks of an order that need nobody any more, because of what became of the order."""
    asked = (await use.tasks.tasks_of([order_id]))[order_id]
    over = [task for task in asked if task.kind in kinds]
    await resolve_tasks(use, over, resolution, PLATFORM, comment)


async def _resolve(use: Dependencies, task: ExceptionTask, resolution: str, by: str, comment: str) -> None:
    now: datetime = use.clock.now()
    found: ExceptionTask | None = task
    for _ in range(MAX_WRITES):
        if found is None or found.state == RESOLVED:
            return
        done = replace(found, state=RESOLVED, resolution=resolution, resolved_by=by, comment=comment)
        facts = {"resolution": resolution, "comment": comment, "state": RESOLVED}
        told = await task_event(use, done, "resolved", "resolved", by, facts)
        if await use.tasks.change_task(found, done, now, [told]):
            return
        found = (await use.tasks.tasks([task.id])).get(task.id)


async def _story_of(use: Dependencies, task: ExceptionTask) -> str:
    """Return the correlation id of the story that a task belongs to."""
    if task.order_id is not None:
        order = (await use.orders.orders([task.order_id])).get(task.order_id)
        return task.order_id if order is None else order.quote_id or order.id
    if task.process_id is not None:
        process = (await use.process_log.processes([task.process_id])).get(task.process_id)
        if process is not None:
            return process.correlation_id
    return task.id
