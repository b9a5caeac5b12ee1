"""How far an order is: from the ERP's quantities, the warehouse's shipments and what carriers report.

The furthest of what they say counts, because each hears late of what the others do. Whether a line has left in full is
told by its shipments without converting units: everything that was to be shipped is, when no shipment of it is still
in the warehouse and nothing of it is on backorder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from schema.enums import BillingStatus, FulfillmentStatus, InvoiceStatus, LineStatus, OrderStatus, ShipmentStatus
from schema.orders.delivery import ARRIVED, LEFT, has_arrived, has_left, milestones_of, status_of
from schema.orders.views import Delivery, LineView, OrderView
from schema.records.orders import Invoice
from schema.records.problems import (
    ApprovalRequired,
    CreditHold,
    DependencyUnavailable,
    FulfillmentDelay,
    InvoiceMismatch,
    PricingConflict,
    Problem,
    Stockout,
)

__all__ = [
    "OPEN",
    "allowed_actions",
    "billing_status",
    "exceptions_of",
    "fulfillment_status",
    "line_status",
]

OPEN = frozenset(OrderStatus) - {OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REJECTED}
"""Orders about which something can still go wrong."""

_S = ShipmentStatus
_SHOWN = (
    CreditHold,
    Stockout,
    PricingConflict,
    FulfillmentDelay,
    InvoiceMismatch,
    ApprovalRequired,
    DependencyUnavailable,
)
_NONE = Decimal(0)


def fulfillment_status(order: OrderView, deliveries: Sequence[Delivery]) -> FulfillmentStatus:
    """Return how far the goods of an order are."""
    lines = [line for line in order.lines if line.wanted > 0]
    going = _not_cancelled(deliveries)
    if not lines:
        return FulfillmentStatus.NOT_STARTED
    if all(_has_left(line, going) for line in lines):
        statuses = {status_of(entry) for entry in going}
        if going and statuses <= ARRIVED:
            return FulfillmentStatus.DELIVERED
        return FulfillmentStatus.PARTIALLY_DELIVERED if statuses & ARRIVED else FulfillmentStatus.SHIPPED
    if any(has_arrived(entry) for entry in going):
        return FulfillmentStatus.PARTIALLY_DELIVERED
    if any(has_left(entry) for entry in going) or any(line.shipped > 0 for line in lines):
        return FulfillmentStatus.PARTIALLY_SHIPPED
    return _in_warehouse(lines, going)


def line_status(order: OrderView, line: LineView, deliveries: Sequence[Delivery]) -> LineStatus:
    """Return how far one line is."""
    if order.status is OrderStatus.REJECTED:
        return LineStatus.REJECTED
    if order.status is OrderStatus.CANCELLED:
        return LineStatus.CANCELLED
    if line.ordered > 0 and line.wanted <= 0:
        return LineStatus.SUBSTITUTED if line.substituted else LineStatus.CANCELLED
    going = [entry for entry in _not_cancelled(deliveries) if _carries(entry, line)]
    if line.wanted > 0 and line.invoiced >= line.wanted:
        return LineStatus.INVOICED
    if _has_left(line, going):
        arrived = going and all(has_arrived(entry) for entry in going)
        return LineStatus.DELIVERED if arrived else LineStatus.SHIPPED
    if line.backordered > 0 and line.allocated <= 0 and not going:
        return LineStatus.BACKORDERED
    stages = {status_of(entry) for entry in going}
    if stages & LEFT or _S.PACKED in stages:
        return LineStatus.PACKED
    if stages & {_S.PICKING, _S.RELEASED}:
        return LineStatus.PICKED if _S.PICKING in stages else LineStatus.RELEASED
    if line.backordered > 0:
        return LineStatus.BACKORDERED
    return LineStatus.ALLOCATED if line.allocated > 0 else LineStatus.PENDING


def billing_status(order: OrderView, invoices: Sequence[Invoice] | None) -> BillingStatus:
    """Return how far an order is invoiced; ``invoices`` None means that they are not known."""
    posted = [entry for entry in invoices or () if entry.status not in (InvoiceStatus.DRAFT, InvoiceStatus.VOID)]
    if posted and all(entry.status is InvoiceStatus.CREDITED for entry in posted):
        return BillingStatus.CREDITED
    lines = [line for line in order.lines if line.wanted > 0]
    if lines and all(line.invoiced >= line.wanted for line in lines):
        return BillingStatus.INVOICED
    if posted or any(line.invoiced > 0 for line in lines):
        return BillingStatus.PARTIALLY_INVOICED
    return BillingStatus.NOT_INVOICED


def exceptions_of(order: OrderView, deliveries: Sequence[Delivery], now: datetime) -> tuple[Problem, ...]:
    """Return what is wrong with an order now: what was recorded and still holds, and shipments that are late."""
    late = {problem.shipment_id: problem for problem in _late(deliveries, now)} if order.status in OPEN else {}
    arrived = {entry.shipment.id for entry in deliveries if has_arrived(entry)}
    short = {line.line_no for line in order.lines if line.backordered > 0}
    kept: list[Problem] = []
    for problem in order.problems:
        if not isinstance(problem, _SHOWN):
            continue
        if isinstance(problem, FulfillmentDelay) and (problem.shipment_id in late or problem.shipment_id in arrived):
            continue
        if (
            isinstance(problem, Stockout)
            and order.in_erp
            and problem.line_no is not None
            and problem.line_no not in short
        ):
            continue
        kept.append(problem)
    return (*kept, *late.values())


def allowed_actions(order: OrderView, status: FulfillmentStatus) -> tuple[str, ...]:
    """Return what the state of an order allows to be asked for; rights of the caller come on top."""
    actions = []
    is_ours_and_whole = order.recorded and status in _BEFORE_PICK
    if order.status is OrderStatus.ACCEPTED and is_ours_and_whole:
        actions.append("CHANGE")
    if order.status in (OrderStatus.RECEIVED, OrderStatus.ON_HOLD, OrderStatus.ACCEPTED) and is_ours_and_whole:
        actions.append("CANCEL")
    if order.status is OrderStatus.ON_HOLD and order.holds:
        actions.append("RELEASE_HOLD")
    if status in (FulfillmentStatus.DELIVERED, FulfillmentStatus.PARTIALLY_DELIVERED):
        actions.append("REQUEST_RETURN")
    return tuple(actions)


_BEFORE_PICK = frozenset(
    {
        FulfillmentStatus.NOT_STARTED,
        FulfillmentStatus.BACKORDERED,
        FulfillmentStatus.PARTIALLY_ALLOCATED,
        FulfillmentStatus.ALLOCATED,
        FulfillmentStatus.RELEASED,
    }
)


def _in_warehouse(lines: Sequence[LineView], going: Sequence[Delivery]) -> FulfillmentStatus:
    stages = {status_of(entry) for entry in going}
    if stages & {_S.PICKING, _S.PACKED}:
        return FulfillmentStatus.PICKING
    if _S.RELEASED in stages:
        return FulfillmentStatus.RELEASED
    if all(line.allocated >= line.wanted for line in lines):
        return FulfillmentStatus.ALLOCATED
    if any(line.allocated > 0 for line in lines):
        return FulfillmentStatus.PARTIALLY_ALLOCATED
    return (
        FulfillmentStatus.BACKORDERED if any(line.backordered > 0 for line in lines) else FulfillmentStatus.NOT_STARTED
    )


def _has_left(line: LineView, going: Iterable[Delivery]) -> bool:
    """Return whether everything of a line that is to be delivered has left the warehouses."""
    if line.wanted > 0 and line.shipped >= line.wanted:
        return True
    if line.backordered > 0:
        return False
    carrying = [entry for entry in going if _carries(entry, line)]
    return bool(carrying) and all(has_left(entry) for entry in carrying)


def _carries(delivery: Delivery, line: LineView) -> bool:
    return any(entry.line_no == line.line_no and entry.quantity.value > 0 for entry in delivery.shipment.lines)


def _not_cancelled(deliveries: Iterable[Delivery]) -> list[Delivery]:
    return [entry for entry in deliveries if status_of(entry) is not _S.CANCELLED]


def _late(deliveries: Iterable[Delivery], now: datetime) -> Iterable[FulfillmentDelay]:
    for entry in deliveries:
        promised = entry.shipment.planned_delivery
        status = status_of(entry)
        if promised is None or status in ARRIVED or status is _S.CANCELLED:
            continue
        expected = entry.tracking.estimated_delivery if entry.tracking is not None else None
        is_late = status is _S.DELAYED or (expected is not None and expected > promised) or now > promised
        if is_late:
            reason = next((told.reason_code for told in reversed(milestones_of(entry)) if told.reason_code), None)
            same_day = expected is not None and expected.date() == promised.date()
            shape = "%Y-%m-%d %H:%M UTC" if same_day else "%Y-%m-%d"
            when = f", now expected {expected:{shape}}" if expected is not None else ""
            yield FulfillmentDelay(
                code="FULFILLMENT_DELAY",
                message=f"shipment {entry.shipment.number} was promised for {promised:{shape}}{when}",
                shipment_id=entry.shipment.id,
                promised=promised,
                expected=expected,
                reason_code=reason,
            )
