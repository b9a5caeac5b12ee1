# No postponed annotations: strawberry reads them.
"""Accounts and opportunities as orders see them: whose documents there are."""

import strawberry
from strawberry import Info

from schema.enums import InvoiceStatus, QuoteStatus
from schema.graphql.paging import Connection
from schema.graphql.values import Money, money
from schema.orders.context import OrdersContext
from schema.orders.inputs import OrderFilter, order_query
from schema.orders.invoice import Invoice
from schema.orders.order import Order
from schema.orders.paging import document_query, slice_connection
from schema.orders.quote import Quote
from schema.orders.returns import Return

__all__ = ["Account", "Opportunity"]

_Ctx = Info[OrdersContext, None]


@strawberry.federation.type(keys=["id"])
class Account:
    """A customer; accounts know more. What the caller may not see is null."""

    id: strawberry.ID

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> "Account":  # noqa: A002 - the key is called so
        """Return the account; whose documents may be seen is decided field by field."""
        return cls(id=id)

    @strawberry.field
    async def open_order_value(self, info: _Ctx) -> Money | None:
        """Value of what is ordered and not yet invoiced."""
        return money(await info.context.reader.open_value(self.id))

    @strawberry.field
    async def orders(
        self,
        info: _Ctx,
        filter: OrderFilter | None = None,  # noqa: A002 - the argument is called so
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[Order] | None:
        """Orders, newest first.

        A filter by status or exceptions looks at the newest 200 orders behind the cursor that may match; while
        hasNextPage is true, endCursor leads on.
        """
        found = await info.context.reader.orders_of(self.id, order_query(filter, first, after))
        return None if found is None else slice_connection(found, Order.of, after)

    @strawberry.field
    async def quotes(
        self, info: _Ctx, status: QuoteStatus | None = None, first: int | None = 25, after: str | None = None
    ) -> Connection[Quote] | None:
        """Quotes, newest first."""
        found = await info.context.reader.quotes_of(self.id, document_query(first, after), status)
        return None if found is None else slice_connection(found, Quote.of, after)

    @strawberry.field
    async def invoices(
        self, info: _Ctx, status: InvoiceStatus | None = None, first: int | None = 25, after: str | None = None
    ) -> Connection[Invoice] | None:
        """Invoices, newest first."""
        found = await info.context.reader.invoices_of(self.id, document_query(first, after, status))
        return None if found is None else slice_connection(found, Invoice.of, after)

    @strawberry.field
    async def returns(self, info: _Ctx, first: int | None = 25, after: str | None = None) -> Connection[Return] | None:
        """Returns, newest first."""
        found = await info.context.reader.returns_of(self.id, document_query(first, after))
        return None if found is None else slice_connection(found, Return.of, after)


@strawberry.federation.type(keys=["id"])
class Opportunity:
    """A sales opportunity; accounts know more."""

    id: strawberry.ID

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> "Opportunity":  # noqa: A002 - the key is called so
        """Return the opportunity; whose documents may be seen is decided field by field."""
        return cls(id=id)

    @strawberry.field
    async def quotes(self, info: _Ctx) -> list[Quote] | None:
        """Quotes, newest first."""
        return [Quote.of(quote) for quote in await info.context.reader.quotes_of_opportunity(self.id)]

    @strawberry.field
    async def orders(self, info: _Ctx) -> list[Order] | None:
        """Orders that its quotes became, newest first."""
        return [Order.of(order) for order in await info.context.reader.orders_of_opportunity(self.id)]
