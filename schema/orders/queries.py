"""What can be asked of lists, and the opaque cursors of their pages.

A list is ordered newest first and pages by the place of its last row, not by a count, so rows that arrive meanwhile do
not shift what follows.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from schema.enums import FulfillmentStatus, InvoiceStatus, OrderStatus
from schema.records.orders import OrderFilter

__all__ = ["BadCursor", "DocumentQuery", "OrderQuery", "Place", "Slice", "page_of"]

T = TypeVar("T")


class BadCursor(ValueError):
    """A cursor that no page of this list has given out."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"cursor {cursor!r} is not one of this list: use endCursor of a page that it gave")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a row stands in a list that is ordered by time and id, newest first."""

    at: datetime
    id: str

    def cursor(self) -> str:
        """Return the place as opaque text."""
        return base64.urlsafe_b64encode(json.dumps([self.at.isoformat(), self.id]).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """Return the place that a cursor stands for.

        Raises:
            BadCursor: the text is not a cursor.
        """
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            at, identifier = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            moment = datetime.fromisoformat(at)
            if moment.tzinfo is None or not isinstance(identifier, str):
                raise BadCursor(cursor)
        except (ValueError, TypeError, binascii.Error) as error:
            raise BadCursor(cursor) from error
        return cls(moment, identifier)


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders, and which page of them. Conditions that are not None must hold; ``end`` is exclusive.

    ``warehouses`` are codes, one of which has to do with the order.
    """

    first: int
    after: Place | None = None
    statuses: tuple[OrderStatus, ...] | None = None
    fulfillment: tuple[FulfillmentStatus, ...] | None = None
    po_number: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    with_exceptions: bool | None = None
    warehouses: tuple[str, ...] | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether a condition is about what only the merged order tells."""
        conditions = (self.statuses, self.fulfillment, self.with_exceptions, self.warehouses)
        return any(condition is not None for condition in conditions)

    @property
    def scope(self) -> OrderFilter:
        """The part that every system can answer about its own half."""
        behind = None if self.after is None else (self.after.at, self.after.id)
        return OrderFilter(po_number=self.po_number, start=self.start, end=self.end, behind=behind)


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Which page of an account's quotes, invoices or returns; ``status`` is a condition on invoices."""

    first: int
    after: Place | None = None
    status: InvoiceStatus | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A page of rows.

    Attributes:
        items: the rows.
        cursors: one per row.
        has_next: whether rows may follow.
        end: cursor from which the next page goes on; behind the last row that was looked at, so that a page with few
            or no rows still leads on.
        total: how many rows there are in all, None when that was not counted.
    """

    items: tuple[T, ...]
    cursors: tuple[str, ...]
    has_next: bool
    end: str | None
    total: int | None


def page_of(
    rows: Sequence[T],
    place: Callable[[T], Place],
    matches: Callable[[T], bool],
    *,
    first: int,
    after: Place | None,
    horizon: Place | None = None,
) -> Slice[T]:
    """Return one page of rows, newest first.

    Args:
        rows: in any order, before and after the place alike.
        place: where a row stands.
        matches: which rows are wanted.
        first: most rows of the page.
        after: the page begins behind it.
        horizon: the last place up to which all rows are known; None when there are none but these.
    """
    in_order = sorted(rows, key=place, reverse=True)
    following = [row for row in in_order if after is None or place(row) < after]
    found = [row for row in following if matches(row) and (horizon is None or place(row) >= horizon)]
    shown = tuple(found[:first])
    cursors = tuple(place(row).cursor() for row in shown)
    end = cursors[-1] if cursors else None
    if len(found) <= first and horizon is not None:
        end = horizon.cursor()
    total = len(found) if horizon is None and after is None else None
    return Slice(shown, cursors, len(found) > first or horizon is not None, end, total)
