"""The ledger of submitted orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update

from schema.enums import OrderStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.currencies import round_to_minor
from schema.records.orders import LedgerOrder, OrderFilter
from schema.records.values import Money
from systems.errors import Conflict
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database
from systems.platform.numbers import ORDER_NUMBERS
from systems.platform.order_warehouses import has_to_do_with, note_warehouses, read_warehouses, set_aside_at
from systems.platform.records import change_by, grouped, read_records
from systems.platform.statements import by_kind, insert_of, run
from systems.platform.tables import ledger_orders, order_warehouses

__all__ = ["PlatformOrderLedger", "order_row"]

_FINISHED = (OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.COMPLETED)


class PlatformOrderLedger:
    """:class:`systems.ports.OrderLedger` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def next_number(self) -> str:
        """Return a new order number, never given twice."""
        return await ORDER_NUMBERS.next(self._database)

    async def create(self, order: LedgerOrder, events: Sequence[Event] = ()) -> LedgerOrder:
        """Record a submitted order, or return the one with the same id recorded before.

        Raises:
            Conflict: another order has the number.
        """
        table = ledger_orders
        async with self._database.transaction("create order") as connection:
            if await run(connection, _CREATE[connection.dialect.name], order_row(order)):
                await note_warehouses(connection, set_aside_at(order))
                await self._append(connection, events)
                return order
            stored = await connection.execute(select(table.c.record).where(table.c.id == order.id))
            return decode(LedgerOrder, stored.scalar_one())

    async def update(self, order: LedgerOrder, events: Sequence[Event] = ()) -> LedgerOrder:
        """Write the order when the stored version is ``order.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs, or the order is not recorded.
        """
        table = ledger_orders
        written = replace(order, version=order.version + 1)
        async with self._database.transaction("update order") as connection:
            change = await change_by(connection, events, table, order.id, written)
            stored = {"stored_id": order.id, "stored_version": order.version}
            if not await run(connection, _UPDATE, {**order_row(written), **stored}):
                raise Conflict(
                    SourceSystem.PLATFORM,
                    "update order",
                    f"order {order.id} is not stored with version {order.version}: read it again",
                )
            await note_warehouses(connection, set_aside_at(written))
            await self._append(connection, events, change)
        return written

    async def find_duplicate_po(self, account_id: str, po_number: str, since: datetime, not_id: str) -> str | None:
        """Return the id of the earliest other order of the account with this PO number that was not rejected."""
        table = ledger_orders
        statement = (
            select(table.c.id)
            .where(
                table.c.account_id == account_id,
                table.c.po_number == po_number,
                table.c.submitted_at >= since,
                table.c.id != not_id,
                table.c.status != OrderStatus.REJECTED,
            )
            .order_by(table.c.submitted_at, table.c.id)
            .limit(1)
        )
        async with self._database.reading("find duplicate PO") as connection:
            found: str | None = (await connection.execute(statement)).scalar_one_or_none()
            return found

    async def orders(self, ids: Sequence[str]) -> Mapping[str, LedgerOrder]:
        """Return orders by platform id."""
        return await read_records(self._database, "orders", ledger_orders.c.id, ids, LedgerOrder)

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, LedgerOrder]:
        """Return orders by number."""
        return await read_records(self._database, "orders by number", ledger_orders.c.number, numbers, LedgerOrder)

    async def warehouses_of(self, order_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return the warehouses that have to do with each order, recorded here or not; none maps to none."""
        async with self._database.reading("warehouses of orders") as connection:
            return await read_warehouses(connection, order_ids)

    async def note_warehouse(self, order_id: str, warehouse_code: str) -> None:
        """Note that a warehouse has to do with an order; what is noted already stays so."""
        row = {"order_id": order_id, "warehouse_code": warehouse_code}
        if not await self._database.ask("warehouse of order", _NOTED, row):
            async with self._database.transaction("note warehouse") as connection:
                await note_warehouses(connection, [row])

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[LedgerOrder, ...]]:
        """Return each account's newest submitted orders, at most ``limit`` per account, newest first."""
        table = ledger_orders
        newest_first = (table.c.submitted_at.desc(), table.c.id.desc())
        ranked = (
            select(
                table.c.account_id,
                table.c.record,
                func.row_number().over(partition_by=table.c.account_id, order_by=newest_first).label("place"),
            )
            .where(table.c.account_id.in_(account_ids), *_conditions(where))
            .subquery()
        )
        statement = (
            select(ranked.c.account_id, ranked.c.record)
            .where(ranked.c.place <= limit)
            .order_by(ranked.c.account_id, ranked.c.place)
        )
        async with self._database.reading("orders of accounts") as connection:
            return await grouped(connection, statement, account_ids, LedgerOrder)

    async def search_orders(self, where: OrderFilter, limit: int) -> tuple[LedgerOrder, ...]:
        """Return submitted orders, newest first."""
        table = ledger_orders
        statement = (
            select(table.c.record)
            .where(*_conditions(where))
            .order_by(table.c.submitted_at.desc(), table.c.id.desc())
            .limit(limit)
        )
        async with self._database.reading("search orders") as connection:
            return tuple(decode(LedgerOrder, record) for (record,) in await connection.execute(statement))

    async def open_exposure(self, account_id: str, not_order_id: str) -> tuple[Money, ...]:
        """Return totals of the account's other submissions that no ERP document stands for yet, oldest first."""
        rows = await self._database.ask("open exposure", _EXPOSED, {"account": account_id, "not_id": not_order_id})
        return tuple(_total(decode(LedgerOrder, record)) for (record,) in rows)


def _create(kind: str) -> Any:
    columns = ledger_orders.c
    return insert_of(ledger_orders, kind).on_conflict_do_nothing(index_elements=[columns.id]).returning(columns.id)


_CREATE = by_kind(_create)

_UPDATE = (
    update(ledger_orders)
    .where(ledger_orders.c.id == bindparam("stored_id"), ledger_orders.c.version == bindparam("stored_version"))
    .values({column.name: bindparam(column.name, type_=column.type) for column in ledger_orders.columns})
    .returning(ledger_orders.c.id)
)
"""Writes a row over the one with a version."""

_NOTED = select(order_warehouses.c.order_id).where(
    order_warehouses.c.order_id == bindparam("order_id"),
    order_warehouses.c.warehouse_code == bindparam("warehouse_code"),
)

_EXPOSED = (
    select(ledger_orders.c.record)
    .where(
        and_(ledger_orders.c.account_id == bindparam("account"), ledger_orders.c.id != bindparam("not_id")),
        ledger_orders.c.erp_number.is_(None),
        *(ledger_orders.c.status != status.value for status in _FINISHED),
    )
    .order_by(ledger_orders.c.submitted_at, ledger_orders.c.id)
)


def order_row(order: LedgerOrder) -> dict[str, Any]:
    """Return the row of an order."""
    return {
        "id": order.id,
        "number": order.number,
        "version": order.version,
        "account_id": order.account_id,
        "po_number": order.po_number,
        "status": order.status.value,
        "submitted_at": order.submitted_at,
        "erp_number": order.erp_number,
        "may_have_exceptions": order.status not in _FINISHED or bool(order.exceptions),
        "record": encode(order),
    }


def _conditions(where: OrderFilter) -> list[ColumnElement[bool]]:
    table = ledger_orders
    conditions: list[ColumnElement[bool]] = []
    if where.statuses is not None:
        conditions.append(table.c.status.in_([status.value for status in where.statuses]))
    if where.po_number is not None:
        conditions.append(table.c.po_number == where.po_number)
    if where.start is not None:
        conditions.append(table.c.submitted_at >= where.start)
    if where.end is not None:
        conditions.append(table.c.submitted_at < where.end)
    if where.behind is not None:
        at, last = where.behind
        conditions.append(or_(table.c.submitted_at < at, and_(table.c.submitted_at == at, table.c.id < last)))
    if where.may_have_exceptions:
        conditions.append(table.c.may_have_exceptions.is_(True))
    if where.warehouses is not None:
        conditions.append(has_to_do_with(table.c.id, where.warehouses))
    return conditions


def _total(order: LedgerOrder) -> Money:
    lines = (line.unit_price.amount * line.quantity.value for line in order.lines if line.unit_price is not None)
    rounded = (round_to_minor(amount, order.currency).amount for amount in lines)
    return Money(sum(rounded, Decimal(0)), order.currency)
