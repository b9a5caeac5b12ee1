# No postponed annotations: strawberry reads them.
"""Root fields of the catalog subgraph."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import strawberry
from strawberry import Info

from resolvers.catalog.follow import follow_prices
from resolvers.catalog.reader import CatalogReader
from schema.catalog.context import Priced, PriceQuestion
from schema.catalog.inputs import ItemFilter, PriceLineInput, item_filter
from schema.catalog.item import Item, PriceResult, price_result
from schema.graphql.errors import BadUserInput
from schema.graphql.paging import Connection, connection, page_request
from schema.graphql.resumable import Resumable
from schema.records.catalog import sku_of
from schema.records.problems import Problem
from subgraphs.context import RequestContext

__all__ = ["Query", "Subscription"]

_Ctx = Info[RequestContext[CatalogReader], None]
_RESUMABLE = Resumable(cursor="eventId", argument="after")

MAX_LINES = 200
"""Lines that one request prices; a larger cart asks in parts."""

_OF_A_LINE = frozenset({"sku", "quantity"})
"""Inputs that stand in a line; the others are those of the whole request."""


@strawberry.type
class Query:
    """Reads of items and prices."""

    @strawberry.field
    async def item(self, info: _Ctx, id: strawberry.ID) -> Item | None:  # noqa: A002 - the argument is called so
        """The item with this id."""
        sku = sku_of(id)
        found = None if sku is None else await info.context.reader.item(sku)
        return None if found is None else Item.of(found)

    @strawberry.field
    async def item_by_sku(self, info: _Ctx, sku: str) -> Item | None:
        """The item with this sku."""
        found = await info.context.reader.item(sku)
        return None if found is None else Item.of(found)

    @strawberry.field
    async def item_by_gtin(self, info: _Ctx, gtin: str) -> Item | None:
        """The item that carries this GTIN on itself or on one of its units."""
        found = await info.context.reader.item_by_gtin(gtin)
        return None if found is None else Item.of(found)

    @strawberry.field
    async def items(
        self,
        info: _Ctx,
        filter: ItemFilter | None = None,  # noqa: A002 - the argument is called so
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[Item]:
        """Items by sku."""
        found = await info.context.reader.items(item_filter(filter), page_request(first, after))
        return connection(found, Item.of, after)

    @strawberry.field
    async def prices(
        self,
        info: _Ctx,
        account_id: strawberry.ID,
        lines: list[PriceLineInput],
        ship_to_id: strawberry.ID | None = None,
        as_of: dt.date | None = None,
    ) -> list[PriceResult]:
        """What the lines of a cart cost an account, one answer per line in the same order; at most 200 lines."""
        if len(lines) > MAX_LINES:
            raise BadUserInput(f"lines has {len(lines)} entries: price at most {MAX_LINES} at once")
        reader = info.context.reader
        questions = [PriceQuestion(account_id, line.sku, line.quantity.record(), as_of, ship_to_id) for line in lines]
        answers = await asyncio.gather(*(reader.price(question) for question in questions))
        return [price_result(_in_line(index, answer)) for index, answer in enumerate(answers)]


@strawberry.type(
    description="A change of what the account pays: what the smallest quantity sold costs from effectiveFrom on, or "
    "today when that has passed, as it is told at the moment of delivery."
)
class PriceEvent:
    """A change of what an account pays for an item."""

    event_id: strawberry.ID
    at: dt.datetime
    effective_from: dt.date
    item: Item
    price: PriceResult | None


@strawberry.type
class Subscription:
    """Streams that go on after the last event seen."""

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def price_changed(
        self, info: _Ctx, account_id: strawberry.ID, skus: list[str], after: strawberry.ID | None = None
    ) -> AsyncGenerator[PriceEvent, None]:
        """Changes of what an account pays for these items, at most 200; `after` is the last eventId seen.

        A change of the price book that leaves what the account pays as it was is not told.
        """
        context = info.context
        events = context.reader.ports.events
        stream = follow_prices(events, account_id, skus, after, context.principal, context.renew)
        async with aclosing(stream) as moves:
            async for move in moves:
                yield PriceEvent(
                    event_id=strawberry.ID(move.event.id),
                    at=move.event.occurred_at,
                    effective_from=move.effective_from,
                    item=Item.of(move.item),
                    price=price_result(move.price),
                )


def _in_line(index: int, answer: Priced | Problem) -> Priced | Problem:
    """Return an answer whose problem points into the line; what is wrong with the whole request points there."""
    if isinstance(answer, Priced) or (answer.path and answer.path[0] not in _OF_A_LINE):
        return answer
    return replace(answer, path=("lines", str(index), *(answer.path or ())))
