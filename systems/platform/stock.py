"""Stock as the warehouse system last told it: the platform's copy, for when the warehouse system gives no answer.

A position is replaced by a newer one only, as its sequence tells; what it was before is kept beside it. Changes are
told from here, at most once a look and position, however often it changed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import case, null, select, update

from schema.events.envelope import Event
from schema.records.inventory import StockPosition
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.records import batches
from systems.platform.tables import stock_positions

__all__ = ["PlatformStockBook"]

MAX_ROWS = 500
"""Rows of one statement."""


class PlatformStockBook:
    """:class:`systems.ports.StockBook` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def positions(self, skus: Sequence[str]) -> Mapping[str, tuple[StockPosition, ...]]:
        """Return the known positions per sku by warehouse; each says when it was read."""
        table = stock_positions
        found: dict[str, list[StockPosition]] = {sku: [] for sku in skus}
        async with self._database.reading("known stock") as connection:
            for batch in batches(skus):
                wanted = select(table.c.sku, table.c.record, table.c.read_at).where(table.c.sku.in_(batch))
                for row in await connection.execute(wanted.order_by(table.c.sku, table.c.warehouse_code)):
                    found[row.sku].append(_position(row.record, row.read_at))
        return {sku: tuple(entries) for sku, entries in found.items()}

    async def record(self, positions: Sequence[StockPosition], read_at: datetime) -> None:
        """Take note of positions as they were at a time; older ones change nothing, known ones are confirmed."""
        if not positions:
            return
        table = stock_positions
        rows = [
            _row(entry, read_at) for entry in sorted(positions, key=lambda entry: (entry.sku, entry.warehouse_code))
        ]
        async with self._database.transaction("record stock") as connection:
            for start in range(0, len(rows), MAX_ROWS):
                insert = insert_into(connection, table, rows[start : start + MAX_ROWS])
                is_newer = insert.excluded.sequence > table.c.sequence
                replaced = {
                    "previous": case((is_newer, table.c.record), else_=table.c.previous),
                    "record": case((is_newer, insert.excluded.record), else_=table.c.record),
                    "is_told": case((is_newer, insert.excluded.is_told), else_=table.c.is_told),
                    "sequence": case((is_newer, insert.excluded.sequence), else_=table.c.sequence),
                    "read_at": case(
                        (insert.excluded.read_at > table.c.read_at, insert.excluded.read_at), else_=table.c.read_at
                    ),
                }
                await connection.execute(
                    insert.on_conflict_do_update(
                        index_elements=[table.c.sku, table.c.warehouse_code],
                        set_=replaced,
                        where=insert.excluded.sequence >= table.c.sequence,
                    )
                )

    async def tell(self, made: Callable[[StockPosition], Event], limit: int) -> int:
        """Tell of at most ``limit`` positions that have changed since they were last told of; return how many."""
        table = stock_positions
        async with self._database.reading("stock to be told") as connection:
            untold = select(table.c.sku).where(table.c.is_told.is_(False)).limit(1)
            if (await connection.execute(untold)).first() is None:
                return 0
        async with self._database.transaction("tell stock") as connection:
            wanted = (
                select(table.c.sku, table.c.warehouse_code, table.c.record, table.c.read_at)
                .where(table.c.is_told.is_(False))
                .order_by(table.c.sku, table.c.warehouse_code)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            rows = (await connection.execute(wanted)).all()
            for row in rows:
                here = (table.c.sku == row.sku, table.c.warehouse_code == row.warehouse_code)
                await connection.execute(update(table).where(*here).values(is_told=True))
            await self._append(connection, [made(_position(row.record, row.read_at)) for row in rows])
        return len(rows)


def _row(position: StockPosition, read_at: datetime) -> dict[str, Any]:
    return {
        "sku": position.sku,
        "warehouse_code": position.warehouse_code,
        "sequence": position.sequence,
        "read_at": read_at,
        "is_told": False,
        "record": encode(replace(position, read_at=None)),
        "previous": null(),
    }


def _position(record: Any, read_at: datetime) -> StockPosition:
    return replace(decode(StockPosition, record), read_at=read_at)
