"""Quotes; the platform is their system of record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Column, func, select, update

from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import Quote
from systems.errors import Conflict
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.numbers import QUOTE_NUMBERS
from systems.platform.records import change_by, grouped, records_by
from systems.platform.tables import quotes

__all__ = ["PlatformQuoteStore", "quote_row"]

MAX_QUOTES_PER_OPPORTUNITY = 200
"""Newest quotes that an opportunity shows; an opportunity with more is an import gone wrong."""


class PlatformQuoteStore:
    """:class:`systems.ports.QuoteStore` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def next_number(self) -> str:
        """Return a new quote number, never given twice."""
        return await QUOTE_NUMBERS.next(self._database)

    async def save(self, quote: Quote, events: Sequence[Event] = ()) -> Quote:
        """Insert a quote with version 0, or update the one stored with its version; return it with the next version.

        Raises:
            Conflict: the stored version differs, or another quote has the number.
        """
        written = replace(quote, version=quote.version + 1)
        async with self._database.transaction("save quote") as connection:
            change = await change_by(connection, events, quotes, quote.id, written)
            if quote.version == 0:
                insert = insert_into(connection, quotes, quote_row(written))
                insert = insert.on_conflict_do_nothing(index_elements=[quotes.c.id])
                saved = (await connection.execute(insert.returning(quotes.c.id))).first() is not None
            else:
                condition = (quotes.c.id == quote.id, quotes.c.version == quote.version)
                changed = await connection.execute(update(quotes).where(*condition).values(quote_row(written)))
                saved = changed.rowcount == 1
            if not saved:
                raise Conflict(
                    SourceSystem.PLATFORM,
                    "save quote",
                    f"quote {quote.id} is not stored with version {quote.version}: read it again",
                )
            await self._append(connection, events, change)
        return written

    async def quotes(self, ids: Sequence[str]) -> Mapping[str, Quote]:
        """Return quotes by platform id."""
        async with self._database.reading("quotes") as connection:
            return await records_by(connection, quotes, quotes.c.id, ids, Quote)

    async def quotes_by_number(self, numbers: Sequence[str]) -> Mapping[str, Quote]:
        """Return quotes by number."""
        async with self._database.reading("quotes by number") as connection:
            return await records_by(connection, quotes, quotes.c.number, numbers, Quote)

    async def quotes_of(
        self, account_ids: Sequence[str], status: QuoteStatus | None, limit: int
    ) -> Mapping[str, tuple[Quote, ...]]:
        """Return each account's newest quotes, at most ``limit`` per account, newest first."""
        return await self._newest(quotes.c.account_id, account_ids, status, limit)

    async def quotes_of_opportunities(self, opportunity_ids: Sequence[str]) -> Mapping[str, tuple[Quote, ...]]:
        """Return quotes per opportunity, newest first."""
        return await self._newest(quotes.c.opportunity_id, opportunity_ids, None, MAX_QUOTES_PER_OPPORTUNITY)

    async def ended(self, statuses: Sequence[QuoteStatus], before: date, limit: int) -> tuple[Quote, ...]:
        """Return quotes of these statuses whose last day is before ``before``, at most ``limit``, oldest first."""
        wanted = quotes.c.status.in_([status.value for status in statuses])
        statement = (
            select(quotes.c.record)
            .where(wanted, quotes.c.valid_until < before)
            .order_by(quotes.c.valid_until, quotes.c.id)
            .limit(limit)
        )
        async with self._database.reading("ended quotes") as connection:
            return tuple(decode(Quote, row[0]) for row in await connection.execute(statement))

    async def standing(self, statuses: Sequence[QuoteStatus], after: str | None, limit: int) -> tuple[Quote, ...]:
        """Return quotes of these statuses behind the id ``after``, at most ``limit``, in the order of their ids."""
        wanted = quotes.c.status.in_([status.value for status in statuses])
        behind = () if after is None else (quotes.c.id > after,)
        statement = select(quotes.c.record).where(wanted, *behind).order_by(quotes.c.id).limit(limit)
        async with self._database.reading("standing quotes") as connection:
            return tuple(decode(Quote, row[0]) for row in await connection.execute(statement))

    async def _newest(
        self, owner: Column[Any], ids: Sequence[str], status: QuoteStatus | None, limit: int
    ) -> Mapping[str, tuple[Quote, ...]]:
        newest_first = (quotes.c.created_at.desc(), quotes.c.id.desc())
        place = func.row_number().over(partition_by=owner, order_by=newest_first).label("place")
        candidates = select(owner.label("owner"), quotes.c.record, place).where(owner.in_(ids))
        if status is not None:
            candidates = candidates.where(quotes.c.status == status.value)
        ranked = candidates.subquery()
        statement = (
            select(ranked.c.owner, ranked.c.record)
            .where(ranked.c.place <= limit)
            .order_by(ranked.c.owner, ranked.c.place)
        )
        async with self._database.reading("newest quotes") as connection:
            return await grouped(connection, statement, ids, Quote)


def quote_row(quote: Quote) -> dict[str, Any]:
    """Return the row of a quote."""
    return {
        "id": quote.id,
        "number": quote.number,
        "version": quote.version,
        "account_id": quote.account_id,
        "opportunity_id": quote.opportunity_id,
        "status": quote.status.value,
        "valid_until": quote.valid_until,
        "created_at": quote.created_at,
        "record": encode(quote),
    }
