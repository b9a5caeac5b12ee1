"""Merges of accounts that were found to be the same; the platform is their system of record.

An account belongs to one merge under way at most, by a primary key: of two merges that begin at the same moment and
share an account one gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import OrderStatus, QuoteStatus, ReturnStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.merges import AccountMerge, MergeStatus
from schema.records.orders import LedgerOrder, Quote
from schema.records.returns import LedgerReturn
from systems.errors import Conflict
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.orders import order_row
from systems.platform.quotes import quote_row
from systems.platform.records import grouped, records_by
from systems.platform.returns import return_row
from systems.platform.tables import account_merge_claims, account_merges, ledger_orders, ledger_returns, quotes

__all__ = ["PlatformAccountMerges"]

MAX_TOLD = 20
"""Orders under decision that are named; with that many nobody reads on."""

_SETTLED = (OrderStatus.ACCEPTED, OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Documents of one ledger: those with a status of ``open`` go with their account."""

    table: Table
    record: type[LedgerOrder | Quote | LedgerReturn]
    row: Callable[[Any], dict[str, Any]]
    open: tuple[OrderStatus | QuoteStatus | ReturnStatus, ...]

    async def move(self, connection: AsyncConnection, source: str, target: str) -> None:
        """Give the open documents of one account to another.

        Raises:
            Conflict: somebody wrote one of them at this moment.
        """
        table = self.table
        is_open = table.c.status.in_([status.value for status in self.open])
        mine = select(table.c.record).where(table.c.account_id == source, is_open)
        for document in (await connection.execute(mine)).scalars().all():
            found = decode(self.record, document)
            moved = replace(found, account_id=target, version=found.version + 1)
            as_read = (table.c.id == found.id, table.c.version == found.version)
            written = await connection.execute(update(table).where(*as_read).values(self.row(moved)))
            if written.rowcount != 1:
                message = f"{found.id} was written at this moment: carry over again"
                raise Conflict(SourceSystem.PLATFORM, "carry over", message)


_OPEN_QUOTES = (
    *(QuoteStatus.DRAFT, QuoteStatus.PRICED, QuoteStatus.PENDING_APPROVAL),
    *(QuoteStatus.APPROVED, QuoteStatus.SENT, QuoteStatus.ACCEPTED),
)
_OPEN_RETURNS = (
    *(ReturnStatus.REQUESTED, ReturnStatus.APPROVED, ReturnStatus.IN_TRANSIT),
    *(ReturnStatus.RECEIVED, ReturnStatus.INSPECTED),
)
_KINDS = (
    _Kind(ledger_orders, LedgerOrder, order_row, (OrderStatus.ACCEPTED,)),
    _Kind(quotes, Quote, quote_row, _OPEN_QUOTES),
    _Kind(ledger_returns, LedgerReturn, return_row, _OPEN_RETURNS),
)


class PlatformAccountMerges:
    """:class:`systems.ports.AccountMerges` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def begin(self, merge: AccountMerge) -> AccountMerge | None:
        """Record a merge and take both of its accounts, or return the one with the same id as it is by now.

        Returns:
            None when another merge has one of the accounts.
        """
        table, claims = account_merges, account_merge_claims
        async with self._database.transaction("begin merge") as connection:
            stored = await connection.execute(select(table.c.record).where(table.c.id == merge.id))
            known = stored.scalar_one_or_none()
            if known is not None:
                return decode(AccountMerge, known)
            # In one order, so that two merges with the same accounts do not wait for each other.
            wanted = sorted({merge.duplicate_id, merge.survivor_id})
            for account_id in wanted:
                insert = insert_into(connection, claims, {"account_id": account_id, "merge_id": merge.id})
                await connection.execute(insert.on_conflict_do_nothing(index_elements=[claims.c.account_id]))
            held = await connection.execute(select(claims.c.merge_id).where(claims.c.account_id.in_(wanted)))
            if set(held.scalars().all()) != {merge.id}:
                await connection.execute(delete(claims).where(claims.c.merge_id == merge.id))
                return None
            await connection.execute(insert_into(connection, table, _row(merge)))
        return merge

    async def note(self, merge: AccountMerge) -> None:
        """Write what is known of a merge that is under way."""
        table = account_merges
        under_way = (table.c.id == merge.id, table.c.status == MergeStatus.UNDER_WAY.value)
        async with self._database.transaction("note merge") as connection:
            await connection.execute(update(table).where(*under_way).values(_row(merge)))

    async def take_back(self, merge_id: str) -> None:
        """End a merge without effect, and leave its accounts to others."""
        table = account_merges
        async with self._database.transaction("take merge back") as connection:
            stored = await connection.execute(select(table.c.record).where(table.c.id == merge_id))
            known = stored.scalar_one_or_none()
            if known is not None:
                ended = replace(decode(AccountMerge, known), status=MergeStatus.TAKEN_BACK)
                await connection.execute(update(table).where(table.c.id == merge_id).values(_row(ended)))
            await _leave(connection, merge_id)

    async def carry_over(self, merge: AccountMerge, events: Sequence[Event]) -> None:
        """Give open orders, quotes and returns of the one account to the other, and end the merge, in one commit.

        Raises:
            Conflict: somebody wrote one of the documents at this moment; repeat.
        """
        table = account_merges
        ended = replace(merge, status=MergeStatus.DONE)
        under_way = (table.c.id == merge.id, table.c.status == MergeStatus.UNDER_WAY.value)
        async with self._database.transaction("carry over") as connection:
            done = await connection.execute(update(table).where(*under_way).values(_row(ended)))
            if done.rowcount != 1:
                return
            for kind in _KINDS:
                await kind.move(connection, merge.duplicate_id, merge.survivor_id)
            earlier = select(table.c.record).where(table.c.survivor_id == merge.duplicate_id)
            for document in (await connection.execute(earlier)).scalars().all():
                follows = replace(decode(AccountMerge, document), survivor_id=merge.survivor_id)
                await connection.execute(update(table).where(table.c.id == follows.id).values(_row(follows)))
            await _leave(connection, merge.id)
            await self._append(connection, events)

    async def merges(self, ids: Sequence[str]) -> Mapping[str, AccountMerge]:
        """Return merges by id."""
        async with self._database.reading("merges") as connection:
            return await records_by(connection, account_merges, account_merges.c.id, ids, AccountMerge)

    async def merged_into(self, survivor_ids: Sequence[str]) -> Mapping[str, tuple[AccountMerge, ...]]:
        """Return the merges that ended in each account, oldest first; every id has an entry."""
        table = account_merges
        statement = (
            select(table.c.survivor_id, table.c.record)
            .where(table.c.survivor_id.in_(survivor_ids), table.c.status == MergeStatus.DONE.value)
            .order_by(table.c.survivor_id, table.c.began_at, table.c.id)
        )
        async with self._database.reading("merged into") as connection:
            return await grouped(connection, statement, survivor_ids, AccountMerge)

    async def survivors(self, account_ids: Sequence[str]) -> Mapping[str, str]:
        """Return for accounts that were merged the one that each is now."""
        table = account_merges
        statement = select(table.c.duplicate_id, table.c.survivor_id).where(
            table.c.duplicate_id.in_(account_ids), table.c.status == MergeStatus.DONE.value
        )
        async with self._database.reading("survivors") as connection:
            return {row.duplicate_id: row.survivor_id for row in await connection.execute(statement)}

    async def under_decision(self, account_id: str) -> tuple[str, ...]:
        """Return the numbers of orders of an account that something is being decided about; at most 20."""
        table = ledger_orders
        settled = [status.value for status in _SETTLED]
        statement = (
            select(table.c.number)
            .where(table.c.account_id == account_id, table.c.status.not_in(settled))
            .order_by(table.c.number)
            .limit(MAX_TOLD)
        )
        async with self._database.reading("under decision") as connection:
            return tuple((await connection.execute(statement)).scalars().all())


async def _leave(connection: AsyncConnection, merge_id: str) -> None:
    claims = account_merge_claims
    await connection.execute(delete(claims).where(claims.c.merge_id == merge_id))


def _row(merge: AccountMerge) -> dict[str, Any]:
    return {
        "id": merge.id,
        "status": merge.status.value,
        "duplicate_id": merge.duplicate_id,
        "survivor_id": merge.survivor_id,
        "began_at": merge.began_at,
        "record": encode(merge),
    }
