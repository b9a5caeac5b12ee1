"""What may come back, and who decides about it (P6): delivered and not returned yet, in time, of an item taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from schema.records.catalog import Item
from schema.records.problems import ReturnNotAllowed
from schema.records.values import Money

__all__ = ["AUTO_BELOW", "RETURN_WINDOW", "Delivered", "Wanted", "check_return", "why_a_person"]

RETURN_WINDOW = timedelta(days=30)
"""How long after its delivery something may come back."""

AUTO_BELOW = Decimal(500)
"""Value, in the currency of the order, from which on a person decides."""

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Base units of a line that are to come back; ``place`` is where the input names it."""

    place: int
    line_no: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Delivered:
    """What has become of a line, in base units.

    Attributes:
        returned: what is coming back or has come back already.
        last_at: when the last of it arrived; None when nothing has.
        lots_known: every delivered lot of a lot-controlled item is on record.
    """

    item: Item
    delivered: Decimal
    returned: Decimal
    last_at: datetime | None
    lots_known: bool


def check_return(wanted: Wanted, line: Delivered | None, now: datetime) -> ReturnNotAllowed | None:
    """Return why a line cannot come back, None when it can."""
    if line is None:
        return _refused(wanted, "UNKNOWN_LINE", f"line {wanted.line_no} does not exist")
    left = line.delivered - line.returned
    if line.delivered <= _NONE or line.last_at is None:
        return _refused(wanted, "NOT_DELIVERED", f"nothing of line {wanted.line_no} is delivered yet")
    if wanted.quantity > left:
        said = f"of line {wanted.line_no}, {line.delivered:f} were delivered and {line.returned:f} are returned"
        return _refused(wanted, "MORE_THAN_DELIVERED", f"{said}: {wanted.quantity:f} cannot come back")
    if line.item.hazmat_class is not None:
        return _refused(wanted, "NOT_RETURNABLE", f"{line.item.sku} is dangerous goods, which are not taken back")
    if now > line.last_at + RETURN_WINDOW:
        ended = (line.last_at + RETURN_WINDOW).date()
        return _refused(wanted, "WINDOW_CLOSED", f"line {wanted.line_no} could come back until {ended}")
    return None


def why_a_person(value: Money, lines: Iterable[Delivered]) -> str | None:
    """Return why a person must decide about a return, None when nobody need to."""
    unknown = [line.item.sku for line in lines if line.item.lot_controlled and not line.lots_known]
    reasons = [f"lots of {sku} are not on record" for sku in unknown]
    if value.amount >= AUTO_BELOW:
        reasons = [f"its value is {value.amount:f} {value.currency}, {AUTO_BELOW} or more", *reasons]
    return "; ".join(reasons) or None


def _refused(wanted: Wanted, reason: str, said: str) -> ReturnNotAllowed:
    return ReturnNotAllowed(
        code="RETURN_NOT_ALLOWED",
        message=said,
        path=("lines", str(wanted.place)),
        line_no=wanted.line_no,
        reason=reason,
    )
