"""The ledger of returns that were requested here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update

from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.returns import LedgerReturn
from systems.errors import Conflict
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.numbers import RETURN_NUMBERS
from systems.platform.order_warehouses import note_warehouses
from systems.platform.records import grouped, records_by
from systems.platform.tables import ledger_returns

__all__ = ["PlatformReturnLedger", "return_row"]


class PlatformReturnLedger:
    """:class:`systems.ports.ReturnLedger` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def next_number(self) -> str:
        """Return a new return number, never given twice."""
        return await RETURN_NUMBERS.next(self._database)

    async def create(
        self, entry: LedgerReturn, events: Sequence[Event] = (), *, known: int | None = None
    ) -> LedgerReturn:
        """Record a return, or return the one with the same process recorded before.

        Raises:
            Conflict: not ``known`` returns of the order are recorded but more.
        """
        table = ledger_returns
        row = {**return_row(entry), "turn": None if known is None else known + 1}
        async with self._database.transaction("create return") as connection:
            insert = insert_into(connection, table, row)
            made = await connection.execute(insert.on_conflict_do_nothing().returning(table.c.id))
            if made.first() is not None:
                comes_to = {"order_id": entry.order_id, "warehouse_code": entry.warehouse_code}
                await note_warehouses(connection, [comes_to])
                await self._append(connection, events)
                return entry
            stored = await connection.execute(select(table.c.record).where(table.c.process_id == entry.process_id))
            record = stored.scalar_one_or_none()
        if record is None:
            said = f"another return of order {entry.order_id} was recorded meanwhile: read them again"
            raise Conflict(SourceSystem.PLATFORM, "create return", said)
        return decode(LedgerReturn, record)

    async def update(self, entry: LedgerReturn, events: Sequence[Event] = ()) -> LedgerReturn:
        """Write the return when the stored version is ``entry.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs, or the return is not recorded.
        """
        table = ledger_returns
        written = replace(entry, version=entry.version + 1)
        condition = (table.c.id == entry.id, table.c.version == entry.version)
        async with self._database.transaction("update return") as connection:
            changed = await connection.execute(update(table).where(*condition).values(return_row(written)))
            if changed.rowcount != 1:
                raise Conflict(
                    SourceSystem.PLATFORM,
                    "update return",
                    f"return {entry.id} is not stored with version {entry.version}: read it again",
                )
            await self._append(connection, events)
        return written

    async def returns(self, ids: Sequence[str]) -> Mapping[str, LedgerReturn]:
        """Return returns by platform id."""
        async with self._database.reading("returns") as connection:
            return await records_by(connection, ledger_returns, ledger_returns.c.id, ids, LedgerReturn)

    async def returns_of_processes(self, process_ids: Sequence[str]) -> Mapping[str, LedgerReturn]:
        """Return returns by the process that carries them."""
        column = ledger_returns.c.process_id
        async with self._database.reading("returns of processes") as connection:
            return await records_by(connection, ledger_returns, column, process_ids, LedgerReturn)

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[LedgerReturn, ...]]:
        """Return returns per order, oldest first."""
        table = ledger_returns
        statement = (
            select(table.c.order_id, table.c.record)
            .where(table.c.order_id.in_(order_ids))
            .order_by(table.c.order_id, table.c.requested_at, table.c.id)
        )
        async with self._database.reading("returns of orders") as connection:
            return await grouped(connection, statement, order_ids, LedgerReturn)

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[LedgerReturn, ...]]:
        """Return returns per account, newest first."""
        table = ledger_returns
        statement = (
            select(table.c.account_id, table.c.record)
            .where(table.c.account_id.in_(account_ids))
            .order_by(table.c.account_id, table.c.requested_at.desc(), table.c.id.desc())
        )
        async with self._database.reading("returns of accounts") as connection:
            return await grouped(connection, statement, account_ids, LedgerReturn)


def return_row(entry: LedgerReturn) -> dict[str, Any]:
    """Return the row of a return."""
    return {
        "id": entry.id,
        "process_id": entry.process_id,
        "version": entry.version,
        "order_id": entry.order_id,
        "account_id": entry.account_id,
        "status": entry.status.value,
        "requested_at": entry.requested_at,
        "record": encode(entry),
    }
