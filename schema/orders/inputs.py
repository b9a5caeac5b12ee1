# No postponed annotations: strawberry reads them.
"""What is asked for and submitted."""

import datetime as dt

import strawberry

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import FulfillmentStatus, HoldKind, OrderChannel, OrderStatus
from schema.graphql.paging import page_request
from schema.graphql.values import MoneyInput, QuantityInput
from schema.orders.paging import place_after
from schema.orders.queries import OrderQuery
from schema.records.waiting import DECISION_WAIT_MS

__all__ = [
    "OrderCancelInput",
    "OrderChangeInput",
    "OrderChangeLineInput",
    "OrderFilter",
    "OrderHoldReleaseInput",
    "OrderLineInput",
    "OrderSubmitInput",
    "QuoteLineInput",
    "QuotePrepareInput",
    "ReturnLineInput",
    "ReturnRequestInput",
    "order_query",
]


@strawberry.input(description="Which orders: every condition that is given must hold; `to` is exclusive.")
class OrderFilter:
    """Which orders."""

    status: list[OrderStatus] | None = None
    fulfillment_status: list[FulfillmentStatus] | None = None
    po_number: str | None = None
    from_: dt.datetime | None = strawberry.field(name="from", default=None)
    to: dt.datetime | None = None
    with_exceptions: bool | None = None


@strawberry.input(description="A line to quote.")
class QuoteLineInput:
    """A line to quote."""

    line_no: int
    sku: str
    quantity: QuantityInput
    requested_unit_price: MoneyInput | None = None
    price_token: str | None = None


@strawberry.input(description="A quote to prepare.")
class QuotePrepareInput:
    """A quote to prepare."""

    idempotency_key: str
    account_id: strawberry.ID
    lines: list[QuoteLineInput]
    ship_to_id: strawberry.ID | None = None
    opportunity_id: strawberry.ID | None = None
    valid_until: dt.date | None = None
    wait_ms: int | None = DECISION_WAIT_MS


@strawberry.input(description="A line to order; the price is what the customer was shown.")
class OrderLineInput:
    """A line to order."""

    line_no: int
    sku: str
    quantity: QuantityInput
    unit_price: MoneyInput | None = None
    price_token: str | None = None
    requested_date: dt.date | None = None


@strawberry.input(description="An order to submit.")
class OrderSubmitInput:
    """An order to submit."""

    idempotency_key: str
    account_id: strawberry.ID
    ship_to_id: strawberry.ID
    channel: OrderChannel
    lines: list[OrderLineInput]
    po_number: str | None = None
    quote_id: strawberry.ID | None = None
    opportunity_id: strawberry.ID | None = None
    requested_date: dt.date | None = None
    ship_complete: bool | None = False
    allow_backorder: bool | None = True
    allow_substitutes: bool | None = False
    accept_current_prices: bool | None = False
    reservation_ids: list[strawberry.ID] | None = None
    wait_ms: int | None = DECISION_WAIT_MS


@strawberry.input(description="What becomes of a line: another quantity in its unit, another date, or nothing of it.")
class OrderChangeLineInput:
    """What becomes of a line."""

    line_no: int
    quantity: QuantityInput | None = None
    cancel: bool | None = False
    requested_date: dt.date | None = None


@strawberry.input(description="Lines of an order to change; `version` is that of the order as it was read.")
class OrderChangeInput:
    """Lines of an order to change."""

    idempotency_key: str
    order_id: strawberry.ID
    version: int
    lines: list[OrderChangeLineInput]
    reason: str


@strawberry.input(description="An order to cancel; `version` is that of the order as it was read.")
class OrderCancelInput:
    """An order to cancel."""

    idempotency_key: str
    order_id: strawberry.ID
    version: int
    reason: str


@strawberry.input(description="A hold of an order to release; cap and end are for credit holds.")
class OrderHoldReleaseInput:
    """A hold to release."""

    idempotency_key: str
    order_id: strawberry.ID
    kind: HoldKind
    comment: str
    max_amount: MoneyInput | None = None
    expires_at: dt.datetime | None = None


@strawberry.input(description="Goods of a line to send back, and why.")
class ReturnLineInput:
    """Goods of a line to send back."""

    line_no: int
    quantity: QuantityInput
    reason: str


@strawberry.input(description="Goods of an order to send back, for a CREDIT or to REPLACE them.")
class ReturnRequestInput:
    """Goods of an order to send back."""

    idempotency_key: str
    order_id: strawberry.ID
    lines: list[ReturnLineInput]
    resolution: str | None = "CREDIT"


def order_query(filter_: OrderFilter | None, first: int | None, after: str | None) -> OrderQuery:
    """Return which page of which orders is wanted.

    Raises:
        BadUserInput: ``first`` is out of bounds or the cursor is none.
    """
    wanted = page_request(first, after).first
    place = place_after(after)
    if filter_ is None:
        return OrderQuery(wanted, place)
    return OrderQuery(
        first=wanted,
        after=place,
        statuses=None if filter_.status is None else tuple(filter_.status),
        fulfillment=None if filter_.fulfillment_status is None else tuple(filter_.fulfillment_status),
        po_number=filter_.po_number,
        start=filter_.from_,
        end=filter_.to,
        with_exceptions=filter_.with_exceptions,
    )
