"""When a shipment counts as late although its carrier has not said so (P4), and how each ground is put into words."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from schema.enums import OrderStatus, ShipmentStatus
from schema.records.orders import LedgerOrder

__all__ = ["ETA", "SILENCE", "SILENT_AFTER", "end_of", "is_behind", "is_silent", "leaves_on", "pick_by", "said_of"]

SILENT_AFTER = timedelta(hours=24)
"""A shipment under way is heard of at least this often."""

PICKED_AHEAD = timedelta(hours=4)
"""Goods are picked this long before the cut-off of their warehouse, so that something can be done when they are not."""

SILENCE = "SILENCE"
"""Reason of a delay of which nobody knows more than that the shipment is not heard of."""

ETA = "ETA"
"""Reason of a delay that follows from when the carrier expects to deliver."""

_S = ShipmentStatus
_UNDER_WAY = frozenset({_S.DEPARTED, _S.IN_TRANSIT, _S.DELAYED, _S.OUT_FOR_DELIVERY})


def is_silent(status: str, heard_at: datetime, now: datetime) -> bool:
    """Return whether a shipment that was last heard of in a status should have been heard of since."""
    return status in _UNDER_WAY and now - heard_at > SILENT_AFTER


def is_behind(status: str, expected: datetime | None, promised: date | None) -> bool:
    """Return whether a shipment under way is expected after the day that was promised."""
    if status not in _UNDER_WAY or expected is None or promised is None:
        return False
    return expected > end_of(promised)


def leaves_on(order: LedgerOrder, warehouse_code: str, round_: str) -> date | None:
    """Return the day on which a release of an order leaves, None when its goods are wanted no longer."""
    if order.status is OrderStatus.CANCELLED:
        return None
    days = [
        entry.ship_date
        for line in order.lines
        for entry in line.allocations
        if entry.firm and entry.warehouse_code == warehouse_code and str(entry.round) == round_
    ]
    return max(days, default=None)


def pick_by(cutoff: datetime, released_at: datetime) -> datetime:
    """Return until when goods have to be picked; what is released later than that has until the cut-off."""
    ahead = cutoff - PICKED_AHEAD
    return ahead if released_at <= ahead else max(cutoff, released_at)


def end_of(day: date) -> datetime:
    """Return until when a day's promise is kept."""
    return datetime.combine(day, time(23, 59), UTC)


def said_of(reason_code: str | None) -> str:
    """Return the reason of a delay as a sentence begins with it."""
    if reason_code == SILENCE:
        return f"Nothing was heard of the shipment for {SILENT_AFTER // timedelta(hours=1)} hours (reason {SILENCE})"
    if reason_code == ETA:
        return f"The carrier expects to deliver after the promised day (reason {ETA})"
    return f"The carrier reports a delay (reason {reason_code or 'not given'})"
