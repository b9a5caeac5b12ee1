"""Which warehouses have to do with an order: where goods were set aside for it, where they left, or came back to.

A warehouse that once had to do with an order keeps it: its people see what became of it elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.events.envelope import Event
from schema.records.orders import LedgerOrder
from systems.platform.records import batches
from systems.platform.statements import by_kind, insert_of, run
from systems.platform.tables import order_warehouses

__all__ = ["has_to_do_with", "note_warehouses", "read_warehouses", "set_aside_at", "told_of"]


def set_aside_at(order: LedgerOrder) -> Iterator[dict[str, Any]]:
    """Yield a row per warehouse where goods are set aside for an order."""
    codes = dict.fromkeys(entry.warehouse_code for line in order.lines for entry in line.allocations)
    yield from ({"order_id": order.id, "warehouse_code": code} for code in codes)


def told_of(event: Event) -> Iterator[dict[str, Any]]:
    """Yield a row for the warehouse that an event names, when it tells where goods of an order are."""
    code = event.data.get("warehouse")
    if isinstance(code, str) and (event.type in _TELLING or event.type.startswith("shipment.")):
        yield {"order_id": event.partition_key, "warehouse_code": code}


async def note_warehouses(connection: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Note that warehouses have to do with orders; what is noted already stays so."""
    for row in rows:
        await run(connection, _NOTE[connection.dialect.name], row)


async def read_warehouses(connection: AsyncConnection, order_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """Return the warehouses of each order; an order that none has to do with maps to none."""
    found: dict[str, set[str]] = {order_id: set() for order_id in order_ids}
    table = order_warehouses
    for batch in batches(order_ids):
        statement = select(table.c.order_id, table.c.warehouse_code).where(table.c.order_id.in_(batch))
        for order_id, code in await connection.execute(statement):
            found[order_id].add(code)
    return {order_id: frozenset(codes) for order_id, codes in found.items()}


def has_to_do_with(order_id: Column[Any], codes: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that one of these warehouses has to do with the order of a row."""
    table = order_warehouses
    return exists().where(table.c.order_id == order_id, table.c.warehouse_code.in_(sorted(codes)))


_TELLING = ("order.line.allocated", "order.released")

_NOTE = by_kind(
    lambda kind: insert_of(order_warehouses, kind).on_conflict_do_nothing(
        index_elements=[order_warehouses.c.order_id, order_warehouses.c.warehouse_code]
    )
)
