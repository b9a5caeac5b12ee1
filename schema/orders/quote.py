# No postponed annotations: strawberry reads them.
"""Quotes."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from schema.enums import QuoteStatus
from schema.graphql.values import Money, Node, Quantity, money
from schema.orders import stubs
from schema.orders.context import OrdersContext
from schema.orders.order import Order
from schema.records import orders as records

if TYPE_CHECKING:
    from schema.orders.owners import Account, Opportunity

__all__ = ["ApprovalRecord", "Quote", "QuoteLine"]

_Ctx = Info[OrdersContext, None]


@strawberry.type(description="A line of a quote, priced live.")
class QuoteLine:
    """A line of a quote."""

    line_no: int
    item: stubs.Item | None = strawberry.federation.field(provides=["sku"])
    description: str
    quantity: Quantity
    unit_price: Money
    list_price: Money | None
    price_source: str
    priced_at: dt.datetime
    extended: Money
    promised_date: dt.date | None

    @classmethod
    def of(cls, record: records.QuoteLine) -> "QuoteLine":
        """Return the record as a graph value."""
        return cls(
            line_no=record.line_no,
            item=stubs.item(record.sku),
            description=record.description,
            quantity=Quantity.of(record.quantity),
            unit_price=Money.of(record.unit_price),
            list_price=money(record.list_price),
            price_source=record.price_source,
            priced_at=record.priced_at,
            extended=Money.of(record.extended),
            promised_date=record.promised_date,
        )


@strawberry.type(description="Who was asked to approve, and who decided how.")
class ApprovalRecord:
    """An approval that was asked for."""

    level: str
    reason: str
    requested_at: dt.datetime
    decided_at: dt.datetime | None
    decision: str | None
    by: stubs.User | None
    comment: str | None

    @classmethod
    def of(cls, record: records.ApprovalRecord) -> "ApprovalRecord":
        """Return the record as a graph value."""
        return cls(
            level=record.level,
            reason=record.reason,
            requested_at=record.requested_at,
            decided_at=record.decided_at,
            decision=record.decision,
            by=stubs.user(record.by),
            comment=record.comment,
        )


@strawberry.federation.type(keys=["id", "number"], description="A quote with live prices.")
class Quote(Node):
    """A quote."""

    record: strawberry.Private[records.Quote]
    number: str
    version: int
    status: QuoteStatus
    valid_until: dt.date
    created_at: dt.datetime

    @classmethod
    def of(cls, record: records.Quote) -> "Quote":
        """Return a quote as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            number=record.number,
            version=record.version,
            status=record.status,
            valid_until=record.valid_until,
            created_at=record.created_at,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        number: str | None = None,
    ) -> "Quote | None":
        """Return the quote that a representation names."""
        if id is not None:
            found = await info.context.reader.quote(id)
        else:
            found = None if number is None else await info.context.reader.quote_by_number(number)
        return None if found is None else cls.of(found)

    @strawberry.field
    def account(self) -> Annotated["Account", strawberry.lazy("schema.orders.owners")] | None:
        """Who asked."""
        from schema.orders.owners import Account  # noqa: PLC0415 - owners list quotes

        return Account(id=strawberry.ID(self.record.account_id))

    @strawberry.field
    def ship_to(self) -> stubs.ShipTo | None:
        """Where goods would go."""
        return stubs.ship_to(self.record.ship_to_id)

    @strawberry.field
    def opportunity(self) -> Annotated["Opportunity", strawberry.lazy("schema.orders.owners")] | None:
        """The opportunity that it belongs to."""
        from schema.orders.owners import Opportunity  # noqa: PLC0415 - owners list quotes

        wanted = self.record.opportunity_id
        return None if wanted is None else Opportunity(id=strawberry.ID(wanted))

    @strawberry.field
    def lines(self) -> list[QuoteLine]:
        """What is quoted."""
        return [QuoteLine.of(line) for line in self.record.lines]

    @strawberry.field
    def total(self) -> Money:
        """What the lines come to."""
        return Money.of(self.record.total)

    @strawberry.field
    def approvals(self) -> list[ApprovalRecord]:
        """Approvals that were asked for."""
        return [ApprovalRecord.of(approval) for approval in self.record.approvals]

    @strawberry.field
    async def order(self, info: _Ctx) -> Order | None:
        """The order that it became."""
        found = None if self.record.order_id is None else await info.context.reader.order(self.record.order_id)
        return None if found is None else Order.of(found)
