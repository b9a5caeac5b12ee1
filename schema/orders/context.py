"""What the types of orders ask of the request that they are resolved in."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from schema.enums import BillingStatus, FulfillmentStatus, LineStatus, QuoteStatus
from schema.orders.queries import DocumentQuery, OrderQuery, Slice
from schema.orders.views import Delivery, LineView, OrderView
from schema.records.identity import Principal
from schema.records.orders import Invoice, Quote, Return, Shipment, Tracking
from schema.records.problems import Problem
from schema.records.values import Money

__all__ = ["OrdersContext", "OrdersReading"]


class OrdersReading(Protocol):
    """Reads of one request, batched; None means that there is nothing which the principal may see."""

    @property
    def now(self) -> datetime:
        """When the request is answered."""
        ...

    async def order(self, order_id: str) -> OrderView | None:
        """Return an order."""
        ...

    async def order_by_number(self, number: str) -> OrderView | None:
        """Return the order with this number."""
        ...

    async def line(self, order_id: str, line_no: int) -> tuple[OrderView, LineView] | None:
        """Return a line with its order."""
        ...

    async def orders_of(self, account_id: str, query: OrderQuery) -> Slice[OrderView] | None:
        """Return a page of an account's orders."""
        ...

    async def orders_of_opportunity(self, opportunity_id: str) -> tuple[OrderView, ...]:
        """Return the orders that came of an opportunity."""
        ...

    async def open_value(self, account_id: str) -> Money | None:
        """Return the value of an account's open orders."""
        ...

    async def fulfillment_status(self, order: OrderView) -> FulfillmentStatus:
        """Return how far the goods are."""
        ...

    async def billing_status(self, order: OrderView) -> BillingStatus:
        """Return how far an order is invoiced."""
        ...

    async def exceptions(self, order: OrderView) -> tuple[Problem, ...]:
        """Return what is wrong with an order."""
        ...

    async def allowed_actions(self, order: OrderView) -> tuple[str, ...]:
        """Return what the state of an order allows."""
        ...

    async def line_status(self, order: OrderView, line: LineView) -> LineStatus:
        """Return how far a line is."""
        ...

    async def shipped(self, order: OrderView, line: LineView) -> Decimal:
        """Return how much of a line has left."""
        ...

    async def delivered(self, order: OrderView, line: LineView) -> Decimal:
        """Return how much of a line has arrived."""
        ...

    async def returned(self, order: OrderView, line: LineView) -> Decimal:
        """Return how much of a line comes back."""
        ...

    async def shipments_of(self, order: OrderView) -> tuple[Shipment, ...]:
        """Return an order's shipments."""
        ...

    async def shipment(self, shipment_id: str) -> Shipment | None:
        """Return a shipment."""
        ...

    async def delivery(self, shipment: Shipment) -> Delivery:
        """Return a shipment with its tracking where there is one."""
        ...

    async def tracking(self, shipment: Shipment) -> Tracking | None:
        """Return what the carrier says."""
        ...

    async def invoice(self, invoice_id: str) -> Invoice | None:
        """Return an invoice."""
        ...

    async def invoices_of(self, account_id: str, query: DocumentQuery) -> Slice[Invoice] | None:
        """Return a page of an account's invoices."""
        ...

    async def invoices_of_order(self, order_id: str) -> tuple[Invoice, ...]:
        """Return an order's invoices."""
        ...

    async def return_(self, return_id: str) -> Return | None:
        """Return an RMA."""
        ...

    async def returns_of(self, account_id: str, query: DocumentQuery) -> Slice[Return] | None:
        """Return a page of an account's RMAs."""
        ...

    async def returns_of_order(self, order_id: str) -> tuple[Return, ...]:
        """Return an order's RMAs."""
        ...

    async def quote(self, quote_id: str) -> Quote | None:
        """Return a quote."""
        ...

    async def quote_by_number(self, number: str) -> Quote | None:
        """Return the quote with this number."""
        ...

    async def quotes_of(self, account_id: str, query: DocumentQuery, status: QuoteStatus | None) -> Slice[Quote] | None:
        """Return a page of an account's quotes."""
        ...

    async def quotes_of_opportunity(self, opportunity_id: str) -> tuple[Quote, ...]:
        """Return an opportunity's quotes."""
        ...


class OrdersContext(Protocol):
    """The context of an operation on the orders subgraph."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def reader(self) -> OrdersReading:
        """Reads of the request."""
        ...
