"""How a line was taken, in the codes of an X12 855 acknowledgement (ACK01) that trading partners read."""

from __future__ import annotations

from enum import StrEnum

from schema.enums import OrderStatus
from schema.orders.views import LineView, OrderView

__all__ = ["AckCode", "ack_code"]

_UNDECIDED = (OrderStatus.RECEIVED, OrderStatus.VALIDATING, OrderStatus.ON_HOLD)


class AckCode(StrEnum):
    """Codes of ACK01 that are given."""

    ACCEPTED = "IA"
    BACKORDERED = "IB"
    RESCHEDULED = "DR"
    SUBSTITUTED = "IS"
    QUANTITY_CHANGED = "IQ"
    DELETED = "ID"
    REJECTED = "IR"


def ack_code(order: OrderView, line: LineView) -> AckCode | None:
    """Return how a line was taken, None while nothing is decided about its order.

    Of several things that are true of a line the one that matters most to the buyer is told: that it does not come,
    that it comes later, that another item comes in its place, that less of it comes, that it comes on another day.
    """
    if order.status in _UNDECIDED:
        return None
    if order.status is OrderStatus.REJECTED:
        return AckCode.REJECTED
    if order.status is OrderStatus.CANCELLED or (line.wanted <= 0 and not line.substituted):
        return AckCode.DELETED
    if line.backordered > 0:
        return AckCode.BACKORDERED
    if line.substituted:
        return AckCode.SUBSTITUTED
    if line.cancelled > 0:
        return AckCode.QUANTITY_CHANGED
    asked = line.requested_date or order.requested_date
    if asked is not None and line.promised_date is not None and line.promised_date > asked:
        return AckCode.RESCHEDULED
    return AckCode.ACCEPTED
