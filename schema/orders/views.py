"""What the orders subgraph shows, before it is put into GraphQL: one order out of its two halves, and its lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schema.enums import OrderChannel, OrderStatus, SourceSystem
from schema.records.orders import Allocation, OrderHold, Shipment, Tracking
from schema.records.problems import Problem
from schema.records.values import ExternalRef, Freshness, Money

__all__ = ["Delivery", "LineView", "OrderView", "line_id", "parse_line_id"]

_LINE_SEPARATOR = ":"


def line_id(order_id: str, line_no: int) -> str:
    """Return the platform id of an order line; it is made of the order's id so that no look-up is needed."""
    return f"{order_id}{_LINE_SEPARATOR}{line_no}"


def parse_line_id(platform_id: str) -> tuple[str, int] | None:
    """Return (order id, line number) within a line's platform id, None when the text is not one."""
    order_id, _, number = platform_id.rpartition(_LINE_SEPARATOR)
    return (order_id, int(number)) if order_id and number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class LineView:
    """A line of an order; quantities are in ``uom``, the asked unit. Prices are None until the line is priced."""

    order_id: str
    line_no: int
    sku: str
    description: str
    uom: str
    ordered: Decimal
    allocated: Decimal
    backordered: Decimal
    shipped: Decimal
    invoiced: Decimal
    cancelled: Decimal
    unit_price: Money | None
    extended: Money | None
    promised_date: date | None
    allocations: tuple[Allocation, ...]
    requested_date: date | None = None
    substituted: bool = False

    @property
    def wanted(self) -> Decimal:
        """What of the line is still meant to be delivered, or was."""
        return self.ordered - self.cancelled


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as the graph shows it: the ERP's document where there is one, and what only the platform knows.

    ``in_erp`` tells whether the home ERP was read for it; ``problems`` are those that the platform recorded;
    ``recorded`` is False for an order that was entered in the ERP itself and is changed there.
    """

    id: str
    number: str
    version: int
    account_id: str
    ship_to_id: str | None
    po_number: str | None
    channel: OrderChannel
    status: OrderStatus
    currency: str
    lines: tuple[LineView, ...]
    subtotal: Money
    tax: Money | None
    freight: Money | None
    total: Money
    requested_date: date | None
    promised_date: date | None
    submitted_at: datetime
    accepted_at: datetime | None
    completed_at: datetime | None
    opportunity_id: str | None
    quote_id: str | None
    home_erp: SourceSystem
    refs: tuple[ExternalRef, ...]
    holds: tuple[OrderHold, ...]
    problems: tuple[Problem, ...]
    in_erp: bool
    freshness: Freshness
    recorded: bool = True

    @property
    def may_have_shipments(self) -> bool:
        """Whether a warehouse can know the order; nothing is released before the ERP has accepted it."""
        return self.accepted_at is not None or self.in_erp


@dataclass(frozen=True, slots=True)
class Delivery:
    """A shipment with what its carrier says; ``tracking`` is None before it is tendered or while the TMS is away."""

    shipment: Shipment
    tracking: Tracking | None
