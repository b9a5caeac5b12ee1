"""Documents from before the platform, brought into its ledgers in one commit: a migration, or the demo's past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ExceptionTask, ProcessRecord
from schema.records.orders import LedgerOrder, Quote
from systems.errors import Conflict
from systems.platform.database import AppendEvents, Database
from systems.platform.order_warehouses import set_aside_at, told_of
from systems.platform.orders import order_row
from systems.platform.process_log import process_row, step_row
from systems.platform.quotes import quote_row
from systems.platform.tables import (
    exception_tasks,
    ledger_orders,
    order_warehouses,
    process_steps,
    processes,
    quotes,
)
from systems.platform.tasks import task_row

__all__ = ["History", "import_history"]

BATCH = 500
"""Rows of one statement, and events that are appended at once."""


@dataclass(frozen=True, slots=True)
class History:
    """What to bring in; events in the order in which they shall stand in the log."""

    orders: Sequence[LedgerOrder] = ()
    quotes: Sequence[Quote] = ()
    processes: Sequence[ProcessRecord] = ()
    tasks: Sequence[ExceptionTask] = ()
    events: Sequence[Event] = ()


async def import_history(database: Database, append_events: AppendEvents, history: History) -> None:
    """Bring documents and events into ledgers that are still empty, all or nothing.

    Raises:
        Conflict: the ledger of orders holds something already, or two documents share an id or a number.
        Unavailable: the database does not answer.
    """
    async with database.transaction("import history") as connection:
        if (await connection.execute(select(func.count()).select_from(ledger_orders))).scalar_one():
            message = "the ledger of orders is not empty: history can only be brought into an empty one"
            raise Conflict(SourceSystem.PLATFORM, "import history", message)
        await _insert(connection, ledger_orders, [order_row(order) for order in history.orders])
        await _insert(connection, order_warehouses, _places(history))
        await _insert(connection, quotes, [quote_row(quote) for quote in history.quotes])
        await _insert(connection, processes, [process_row(process) for process in history.processes])
        steps = [step_row(process.id, step) for process in history.processes for step in process.steps]
        await _insert(connection, process_steps, steps)
        await _insert(connection, exception_tasks, [task_row(task) for task in history.tasks])
        for start in range(0, len(history.events), BATCH):
            await append_events(connection, history.events[start : start + BATCH])


def _places(history: History) -> list[dict[str, Any]]:
    """Return the warehouses of orders, each once: what their lines lack, their events tell."""
    rows = [row for order in history.orders for row in set_aside_at(order)]
    rows += [row for event in history.events for row in told_of(event)]
    return list({(row["order_id"], row["warehouse_code"]): row for row in rows}.values())


async def _insert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), BATCH):
        await connection.execute(insert(table), rows[start : start + BATCH])
