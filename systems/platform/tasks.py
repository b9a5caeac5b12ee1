"""Exception tasks: what a person must decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, or_, select, update

from schema.events.envelope import Event
from schema.records.operations import ExceptionTask
from schema.records.values import Page, PageRequest
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.order_warehouses import has_to_do_with
from systems.platform.paging import read_page
from systems.platform.records import batches, grouped, records_by
from systems.platform.tables import exception_tasks

__all__ = ["RESOLVED", "PlatformTaskQueue", "task_row"]

RESOLVED = "RESOLVED"
"""State of a task that needs nobody any more."""


class PlatformTaskQueue:
    """:class:`systems.ports.TaskQueue` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def open_task(self, task: ExceptionTask, events: Sequence[Event] = ()) -> ExceptionTask:
        """Open a task, or return the one with the same id opened before."""
        table = exception_tasks
        row = task_row(task)
        async with self._database.transaction("open task") as connection:
            insert = insert_into(connection, table, row).on_conflict_do_nothing(index_elements=[table.c.id])
            if (await connection.execute(insert.returning(table.c.id))).first() is not None:
                await self._append(connection, events)
                return task
            stored = await connection.execute(select(table.c.record).where(table.c.id == task.id))
            return decode(ExceptionTask, stored.scalar_one())

    async def tasks(self, ids: Sequence[str]) -> Mapping[str, ExceptionTask]:
        """Return tasks by id."""
        async with self._database.reading("tasks") as connection:
            return await records_by(connection, exception_tasks, exception_tasks.c.id, ids, ExceptionTask)

    async def search_tasks(
        self,
        queue: str | None,
        state: str | None,
        page: PageRequest,
        warehouses: Collection[str] | None = None,
        accounts: Collection[str] | None = None,
    ) -> Page[ExceptionTask]:
        """Return tasks, earliest due first, as :meth:`systems.ports.TaskQueue.search_tasks` says.

        Raises:
            Rejected: the page's cursor is not one of this list.
        """
        table = exception_tasks
        statement = select(table.c.id, table.c.due_at, table.c.record)
        if queue is not None:
            statement = statement.where(table.c.queue == queue)
        if state is not None:
            statement = statement.where(table.c.state == state)
        if warehouses is not None:
            of_order = and_(table.c.warehouse_code.is_(None), has_to_do_with(table.c.order_id, warehouses))
            statement = statement.where(or_(table.c.warehouse_code.in_(sorted(warehouses)), of_order))
        if accounts is not None:
            # As many as one person works with (20,000) fit into a statement.
            statement = statement.where(or_(table.c.account_id.is_(None), table.c.account_id.in_(sorted(accounts))))
        async with self._database.reading("search tasks") as connection:
            return await read_page(connection, statement, (table.c.due_at, table.c.id), page, _task)

    async def tasks_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[ExceptionTask, ...]]:
        """Return the tasks of each order, by id; an order without tasks maps to ()."""
        table = exception_tasks
        found: dict[str, tuple[ExceptionTask, ...]] = {}
        async with self._database.reading("tasks of orders") as connection:
            for batch in batches(order_ids):
                statement = select(table.c.order_id, table.c.record).where(table.c.order_id.in_(batch))
                found |= await grouped(connection, statement.order_by(table.c.id), batch, ExceptionTask)
        return found

    async def change_task(
        self, before: ExceptionTask, after: ExceptionTask, at: datetime, events: Sequence[Event] = ()
    ) -> bool:
        """Write a task and its events when it still is as it was read; False when somebody has changed it."""
        table = exception_tasks
        async with self._database.transaction("change task") as connection:
            stored = await connection.execute(select(table.c.record).where(table.c.id == before.id).with_for_update())
            record = stored.scalar_one_or_none()
            if record is None or decode(ExceptionTask, record) != before:
                return False
            row = {**task_row(after), "closed_at": at if after.state == RESOLVED else None}
            await connection.execute(update(table).where(table.c.id == before.id).values(row))
            await self._append(connection, events)
        return True


def task_row(task: ExceptionTask) -> dict[str, Any]:
    """Return the row of a task."""
    return {
        "id": task.id,
        "queue": task.queue,
        "kind": task.kind,
        "state": task.state,
        "order_id": task.order_id,
        "account_id": task.account_id,
        "warehouse_code": task.warehouse_code,
        "due_at": task.due_at,
        "record": encode(task),
    }


def _task(row: Row[Any]) -> ExceptionTask:
    return decode(ExceptionTask, row.record)
