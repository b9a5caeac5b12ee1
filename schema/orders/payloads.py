# No postponed annotations: strawberry reads them.
"""What mutations answer, and what subscriptions tell."""

import datetime as dt

import strawberry

from schema.orders import stubs
from schema.orders.invoice import Invoice
from schema.orders.order import Order
from schema.orders.problems import OrderException, OrderProblem
from schema.orders.quote import Quote
from schema.orders.returns import Return
from schema.orders.shipment import Milestone, Shipment

__all__ = [
    "InvoiceEvent",
    "OrderEvent",
    "OrderPayload",
    "QuotePayload",
    "ReturnEvent",
    "ReturnPayload",
    "ShipmentEvent",
]


@strawberry.type(description="What became of an order that was submitted.")
class OrderPayload:
    """What became of a submitted order; a refused one is null, a held one is there and its reason a problem."""

    order: Order | None
    process: stubs.ProcessInstance | None = strawberry.federation.field(provides=["state"])
    problems: list[OrderProblem]
    replayed: bool


@strawberry.type(description="What became of a quote that was asked for.")
class QuotePayload:
    """What became of a quote."""

    quote: Quote | None
    process: stubs.ProcessInstance | None = strawberry.federation.field(provides=["state"])
    problems: list[OrderProblem]
    replayed: bool


@strawberry.type(description="What became of a return that was requested or decided about.")
class ReturnPayload:
    """What became of a return."""

    return_: Return | None = strawberry.field(name="return")
    process: stubs.ProcessInstance | None = strawberry.federation.field(provides=["state"])
    problems: list[OrderProblem]
    replayed: bool


@strawberry.type(description="Something happened to an order; the order is shown as it is when the event is told.")
class OrderEvent:
    """Something happened to an order."""

    event_id: strawberry.ID
    at: dt.datetime
    type: str
    order: Order
    problem: OrderException | None


@strawberry.type(description="Something happened to a shipment; it is shown as it is when the event is told.")
class ShipmentEvent:
    """Something happened to a shipment."""

    event_id: strawberry.ID
    at: dt.datetime
    milestone: Milestone
    shipment: Shipment


@strawberry.type(description="An invoice was posted; it is shown as it is when the event is told.")
class InvoiceEvent:
    """An invoice was posted."""

    event_id: strawberry.ID
    at: dt.datetime
    invoice: Invoice


@strawberry.type(description="Something happened to a return; it is shown as it is when the event is told.")
class ReturnEvent:
    """Something happened to a return."""

    event_id: strawberry.ID
    at: dt.datetime
    return_: Return = strawberry.field(name="return")
