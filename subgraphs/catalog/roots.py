# No postponed annotations: strawberry reads them.
"""Root fields of the catalog subgraph."""

import asyncio
import datetime as dt
from dataclasses import replace

import strawberry
from strawberry import Info

from resolvers.catalog.reader import CatalogReader
from schema.catalog.context import Priced, PriceQuestion
from schema.catalog.inputs import ItemFilter, PriceLineInput, item_filter
from schema.catalog.item import Item, PriceResult, price_result
from schema.graphql.errors import BadUserInput
from schema.graphql.paging import Connection, connection, page_request
from schema.records.catalog import sku_of
from schema.records.problems import Problem
from subgraphs.context import RequestContext

__all__ = ["Query"]

_Ctx = Info[RequestContext[CatalogReader], None]

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


def _in_line(index: int, answer: Priced | Problem) -> Priced | Problem:
    """Return an answer whose problem points into the line; what is wrong with the whole request points there."""
    if isinstance(answer, Priced) or (answer.path and answer.path[0] not in _OF_A_LINE):
        return answer
    return replace(answer, path=("lines", str(index), *(answer.path or ())))
