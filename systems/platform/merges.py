"""Merges of accounts that were found to be the same; the platform is their system of record.

An account belongs to one merge under way at most, by a primary key: of two merges that begin at the same moment and
share an account one gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import OrderStatus, QuoteStatus, ReturnStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.merges import AccountMerge, MergeStatus
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder, Quote
from schema.records.returns import LedgerReturn
from systems.errors import Conflict
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.orders import order_row
from systems.platform.quotes import quote_row
from systems.platform.records import grouped, records_by
from systems.platform.returns import return_row
from systems.platform.tables import (
    account_merge_claims,
    account_merges,
    exception_tasks,
    ledger_orders,
    ledger_returns,
    quotes,
)
from systems.platform.tasks import RESOLVED, task_row

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

    @property
    def account_id(self) -> ColumnElement[str]:
        """Whose a document is."""
        return self.table.c.account_id

    @property
    def is_open(self) -> ColumnElement[bool]:
        """Whether a document goes with its account."""
        return self.table.c.status.in_([status.value for status in self.open])

    async def give(self, connection: AsyncConnection, document: Any, target: str) -> None:
        """Give a document to an account.

        Raises:
            Conflict: somebody wrote it at this moment.
        """
        table, found = self.table, decode(self.record, document)
        moved = replace(found, account_id=target, version=found.version + 1)
        as_read = (table.c.id == found.id, table.c.version == found.version)
        written = await connection.execute(update(table).where(*as_read).values(self.row(moved)))
        if written.rowcount != 1:
            message = f"{found.id} was written at this moment: carry over again"
            raise Conflict(SourceSystem.PLATFORM, "carry over", message)


class _Tasks:
    """What persons are asked about an account goes with it until it is settled."""

    table = exception_tasks
    account_id = exception_tasks.c.record["account_id"].as_string()
    is_open = exception_tasks.c.state != RESOLVED

    async def give(self, connection: AsyncConnection, document: Any, target: str) -> None:
        """Give a task to an account; whoever is writing it at this moment reads it anew."""
        moved = replace(decode(ExceptionTask, document), account_id=target)
        await connection.execute(update(self.table).where(self.table.c.id == moved.id).values(task_row(moved)))


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
    _Tasks(),
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

    async def carry_over(self, merge: AccountMerge, events: Sequence[Event], task: ExceptionTask | None = None) -> None:
        """Give open orders, quotes, returns and tasks of one account to the other, and end the merge, in one commit.

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
                mine = select(kind.table.c.record).where(kind.account_id == merge.duplicate_id, kind.is_open)
                for document in (await connection.execute(mine.with_for_update())).scalars().all():
                    await kind.give(connection, document, merge.survivor_id)
            earlier = select(table.c.record).where(table.c.survivor_id == merge.duplicate_id)
            for document in (await connection.execute(earlier)).scalars().all():
                follows = replace(decode(AccountMerge, document), survivor_id=merge.survivor_id)
                await connection.execute(update(table).where(table.c.id == follows.id).values(_row(follows)))
            await _leave(connection, merge.id)
            if task is not None:
                await connection.execute(insert_into(connection, exception_tasks, task_row(task)))
            await self._append(connection, events)

    async def carry_rest(self, limit: int) -> int:
        """Give what was written for merged accounts since to those that they are now; return how much it was.

        Args:
            limit: most documents of each ledger at once.

        Raises:
            Conflict: somebody wrote one of the documents at this moment; repeat.
        """
        merged = account_merges.c
        count = 0
        async with self._database.transaction("carry over the rest") as connection:
            for kind in _KINDS:
                is_merged = (kind.account_id == merged.duplicate_id, merged.status == MergeStatus.DONE.value)
                left = select(kind.table.c.record, merged.survivor_id).where(*is_merged, kind.is_open).limit(limit)
                for row in (await connection.execute(left.with_for_update(of=kind.table))).all():
                    await kind.give(connection, row.record, row.survivor_id)
                    count += 1
        return count

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
