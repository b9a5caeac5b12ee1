# No postponed annotations: strawberry reads them.
"""Orders and their lines."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from schema.enums import (
    BillingStatus,
    FulfillmentStatus,
    HoldKind,
    LineStatus,
    OrderChannel,
    OrderStatus,
    SourceSystem,
)
from schema.graphql.errors import BadUserInput
from schema.graphql.paging import Connection, connection_of, page_request
from schema.graphql.values import ExternalRef, Freshness, Money, Node, Quantity, external_refs, money
from schema.orders import stubs
from schema.orders.acknowledgement import ack_code
from schema.orders.context import OrdersContext
from schema.orders.problems import OrderException, order_exception
from schema.orders.queries import BadCursor
from schema.orders.views import LineView, OrderView, line_id, parse_line_id
from schema.records import orders as records

if TYPE_CHECKING:
    from schema.orders.invoice import Invoice
    from schema.orders.owners import Account, Opportunity
    from schema.orders.quote import Quote
    from schema.orders.returns import Return
    from schema.orders.shipment import Shipment

__all__ = ["Allocation", "Order", "OrderHold", "OrderLine"]

_Ctx = Info[OrdersContext, None]


@strawberry.type(description="Why an order waits, since when, who owns it, by when.")
class OrderHold:
    """Why an order waits."""

    kind: HoldKind
    reason: str
    since: dt.datetime
    owner_queue: str
    due_at: dt.datetime | None

    @classmethod
    def of(cls, record: records.OrderHold) -> "OrderHold":
        """Return the record as a graph value."""
        return cls(
            kind=record.kind,
            reason=record.reason,
            since=record.since,
            owner_queue=record.owner_queue,
            due_at=record.due_at,
        )


@strawberry.type(description="Part of a line set aside at a warehouse.")
class Allocation:
    """Part of a line set aside at a warehouse."""

    warehouse: stubs.Warehouse | None = strawberry.federation.field(provides=["code"])
    quantity: Quantity
    ship_date: dt.date
    firm: bool

    @classmethod
    def of(cls, record: records.Allocation) -> "Allocation":
        """Return the record as a graph value."""
        return cls(
            warehouse=stubs.warehouse(record.warehouse_code),
            quantity=Quantity.of(record.quantity),
            ship_date=record.ship_date,
            firm=record.firm,
        )


@strawberry.federation.type(keys=["id"], description="A line of an order; quantities are in the unit it was asked in.")
class OrderLine:
    """A line of an order."""

    order: strawberry.Private[OrderView]
    line: strawberry.Private[LineView]
    id: strawberry.ID
    line_no: int
    description: str
    item: stubs.Item | None = strawberry.federation.field(provides=["sku"])

    @classmethod
    def of(cls, order: OrderView, line: LineView) -> "OrderLine":
        """Return a line of an order as a graph value."""
        return cls(
            order=order,
            line=line,
            id=strawberry.ID(line_id(order.id, line.line_no)),
            line_no=line.line_no,
            description=line.description,
            item=stubs.item(line.sku),
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "OrderLine | None":  # noqa: A002 - the key
        """Return the line that a representation names."""
        place = parse_line_id(id)
        found = None if place is None else await info.context.reader.line(*place)
        return None if found is None else cls.of(*found)

    @strawberry.field
    async def status(self, info: _Ctx) -> LineStatus:
        """How far the line is."""
        return await info.context.reader.line_status(self.order, self.line)

    @strawberry.field
    def ordered(self) -> Quantity:
        """What was asked for."""
        return Quantity(value=self.line.ordered, uom=self.line.uom)

    @strawberry.field
    def allocated(self) -> Quantity:
        """What is set aside."""
        return Quantity(value=self.line.allocated, uom=self.line.uom)

    @strawberry.field
    def backordered(self) -> Quantity:
        """What waits for supply."""
        return Quantity(value=self.line.backordered, uom=self.line.uom)

    @strawberry.field
    async def shipped(self, info: _Ctx) -> Quantity:
        """What has left the warehouses."""
        return Quantity(value=await info.context.reader.shipped(self.order, self.line), uom=self.line.uom)

    @strawberry.field
    async def delivered(self, info: _Ctx) -> Quantity:
        """What has arrived."""
        return Quantity(value=await info.context.reader.delivered(self.order, self.line), uom=self.line.uom)

    @strawberry.field
    def invoiced(self) -> Quantity:
        """What is invoiced."""
        return Quantity(value=self.line.invoiced, uom=self.line.uom)

    @strawberry.field
    async def returned(self, info: _Ctx) -> Quantity:
        """What comes back or has come back."""
        return Quantity(value=await info.context.reader.returned(self.order, self.line), uom=self.line.uom)

    @strawberry.field
    def cancelled(self) -> Quantity:
        """What is no longer wanted."""
        return Quantity(value=self.line.cancelled, uom=self.line.uom)

    @strawberry.field
    def ack_code(self) -> str | None:
        """How the line was taken, as ACK01 of an X12 855 says it; nothing while its order is undecided."""
        return ack_code(self.order, self.line)

    @strawberry.field
    def unit_price(self) -> Money | None:
        """Price of one asked unit; null until the line is priced."""
        return money(self.line.unit_price)

    @strawberry.field
    def extended(self) -> Money | None:
        """Price of the line; null until the line is priced."""
        return money(self.line.extended)

    @strawberry.field
    def promised_date(self) -> dt.date | None:
        """When all of the line is promised to arrive."""
        return self.line.promised_date

    @strawberry.field
    def allocations(self) -> list[Allocation]:
        """Where the line is set aside."""
        return [Allocation.of(entry) for entry in self.line.allocations]


@strawberry.federation.type(keys=["id", "number"], description="An order.")
class Order(Node):
    """An order."""

    view: strawberry.Private[OrderView]
    number: str
    version: int
    po_number: str | None
    channel: OrderChannel
    status: OrderStatus
    requested_date: dt.date | None
    promised_date: dt.date | None
    submitted_at: dt.datetime
    accepted_at: dt.datetime | None
    completed_at: dt.datetime | None
    home_erp: SourceSystem

    @classmethod
    def of(cls, view: OrderView) -> "Order":
        """Return an order as a graph value."""
        return cls(
            view=view,
            id=strawberry.ID(view.id),
            number=view.number,
            version=view.version,
            po_number=view.po_number,
            channel=view.channel,
            status=view.status,
            requested_date=view.requested_date,
            promised_date=view.promised_date,
            submitted_at=view.submitted_at,
            accepted_at=view.accepted_at,
            completed_at=view.completed_at,
            home_erp=view.home_erp,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        number: str | None = None,
    ) -> "Order | None":
        """Return the order that a representation names."""
        if id is not None:
            found = await info.context.reader.order(id)
        else:
            found = None if number is None else await info.context.reader.order_by_number(number)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def fulfillment_status(self, info: _Ctx) -> FulfillmentStatus:
        """How far the goods are."""
        return await info.context.reader.fulfillment_status(self.view)

    @strawberry.field
    async def billing_status(self, info: _Ctx) -> BillingStatus:
        """How far the order is invoiced."""
        return await info.context.reader.billing_status(self.view)

    @strawberry.field
    def holds(self) -> list[OrderHold]:
        """Why the order waits for a person."""
        return [OrderHold.of(hold) for hold in self.view.holds]

    @strawberry.field
    async def exceptions(self, info: _Ctx) -> list[OrderException]:
        """What is wrong with the order now."""
        shown = [order_exception(problem) for problem in await info.context.reader.exceptions(self.view)]
        return [problem for problem in shown if problem is not None]

    @strawberry.field
    async def allowed_actions(self, info: _Ctx) -> list[str]:
        """What the order's state allows: CHANGE, CANCEL, RELEASE_HOLD, REQUEST_RETURN."""
        return list(await info.context.reader.allowed_actions(self.view))

    @strawberry.field
    def account(self) -> Annotated["Account", strawberry.lazy("schema.orders.owners")] | None:
        """Who buys."""
        from schema.orders.owners import Account  # noqa: PLC0415 - owners list orders

        return Account(id=strawberry.ID(self.view.account_id))

    @strawberry.field
    def ship_to(self) -> stubs.ShipTo | None:
        """Where the order goes."""
        return stubs.ship_to(self.view.ship_to_id)

    @strawberry.field
    def opportunity(self) -> Annotated["Opportunity", strawberry.lazy("schema.orders.owners")] | None:
        """The opportunity that the order came of."""
        from schema.orders.owners import Opportunity  # noqa: PLC0415 - owners list orders

        wanted = self.view.opportunity_id
        return None if wanted is None else Opportunity(id=strawberry.ID(wanted))

    @strawberry.field
    async def quote(self, info: _Ctx) -> Annotated["Quote", strawberry.lazy("schema.orders.quote")] | None:
        """The quote that became the order."""
        from schema.orders.quote import Quote  # noqa: PLC0415 - a quote refers to its order

        wanted = self.view.quote_id
        found = None if wanted is None else await info.context.reader.quote(wanted)
        return None if found is None else Quote.of(found)

    @strawberry.field
    def lines(self, first: int | None = 100, after: str | None = None) -> Connection[OrderLine]:
        """The lines, by number."""
        asked = page_request(first, after, default=100)
        rows = sorted(self.view.lines, key=lambda line: line.line_no)
        if after is not None:
            last = _line_after(after, self.view.id)
            rows = [line for line in rows if line.line_no > last]
        shown = rows[: asked.first]
        return connection_of(
            [OrderLine.of(self.view, line) for line in shown],
            [line_id(self.view.id, line.line_no) for line in shown],
            len(rows) > len(shown),
            after,
            len(self.view.lines),
        )

    @strawberry.field
    def subtotal(self) -> Money:
        """Value of the lines, as far as they are priced."""
        return Money.of(self.view.subtotal)

    @strawberry.field
    def tax(self) -> Money | None:
        """Tax, once the ERP has said it."""
        return money(self.view.tax)

    @strawberry.field
    def freight(self) -> Money | None:
        """Freight, once the ERP has said it."""
        return money(self.view.freight)

    @strawberry.field
    def total(self) -> Money:
        """What the order comes to, as far as it is priced."""
        return Money.of(self.view.total)

    @strawberry.field
    async def shipments(
        self, info: _Ctx
    ) -> list[Annotated["Shipment", strawberry.lazy("schema.orders.shipment")]] | None:
        """Shipments, oldest first; null while the warehouse system is away."""
        from schema.orders.shipment import Shipment  # noqa: PLC0415 - a shipment refers to its order

        return [Shipment.of(shipment) for shipment in await info.context.reader.shipments_of(self.view)]

    @strawberry.field
    async def invoices(self, info: _Ctx) -> list[Annotated["Invoice", strawberry.lazy("schema.orders.invoice")]] | None:
        """Invoices, oldest first; null while finance is away."""
        from schema.orders.invoice import Invoice  # noqa: PLC0415 - an invoice refers to its order

        return [Invoice.of(invoice) for invoice in await info.context.reader.invoices_of_order(self.view.id)]

    @strawberry.field
    async def returns(self, info: _Ctx) -> list[Annotated["Return", strawberry.lazy("schema.orders.returns")]] | None:
        """Returns, oldest first; null while the ERP is away."""
        from schema.orders.returns import Return  # noqa: PLC0415 - a return refers to its order

        return [Return.of(return_) for return_ in await info.context.reader.returns_of_order(self.view.id)]

    @strawberry.field
    def external_refs(self) -> list[ExternalRef]:
        """Ids of the order in other systems."""
        return external_refs(self.view.refs)

    @strawberry.field
    def freshness(self) -> Freshness:
        """Who said it, when; stale while the ERP does not answer."""
        return Freshness.of(self.view.freshness)


def _line_after(cursor: str, order_id: str) -> int:
    place = parse_line_id(cursor)
    if place is None or place[0] != order_id:
        raise BadUserInput(str(BadCursor(cursor)))
    return place[1]
