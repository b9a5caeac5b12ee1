"""The story of an order or quote: which events belong to it, in which order, and which of them are touches.

A story is a chain of correlation ids: the quote, the orders that it became, and through the order its shipments,
invoices and returns. Whoever submits an order names the quote, so a chain alone proves nothing:

- An event of another account is never a part, whatever correlation id it carries.
- The story of an order leaves out what another order of the same quote tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from events.stories import SELF_SERVICE, is_touch, order_of
from schema.events.envelope import Event, EventPlace, StoredEvent
from schema.operations.views import HistoryPage, LineageEntry
from schema.records.orders import LedgerOrder

__all__ = ["Chain", "Window", "count_touches", "merge", "page_of"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Whose story: correlation ids, the account that it belongs to, and the one order that it is about.

    ``account_id`` None means that the platform does not know whose it is; ``order_id`` None means every order.
    """

    correlation_ids: tuple[str, ...]
    account_id: str | None = None
    order_id: str | None = None

    def has(self, event: Event) -> bool:
        """Return whether an event with one of the correlation ids is a part of the story."""
        if self.account_id is not None and event.account_id not in (None, self.account_id):
            return False
        return self.order_id is None or order_of(event) in (None, self.order_id)


@dataclass(frozen=True, slots=True)
class Window:
    """Events of a story from some place on, in order; with ``is_complete`` they are all that there are."""

    events: tuple[StoredEvent, ...]
    is_complete: bool


def merge(parts: Iterable[Sequence[StoredEvent]], limit: int) -> Window:
    """Return parts of a story as one, each read up to ``limit`` events.

    A part that was not read to its end ends the whole: what others tell later may come after what was not read.
    """
    ends = [part[-1].place for part in parts if len(part) >= limit]
    events = sorted((stored for part in parts for stored in part), key=lambda stored: stored.place)
    if ends:
        events = [stored for stored in events if stored.place <= min(ends)]
    return Window(tuple(events), is_complete=not ends)


def page_of(
    window: Window, show: Callable[[StoredEvent], LineageEntry | None], first: int, after: EventPlace | None
) -> HistoryPage:
    """Return the first page of a window; ``show`` returns None for what is left out."""
    shown = [entry for stored in window.events if (entry := show(stored)) is not None]
    page = tuple(shown[:first])
    has_more = len(shown) > first
    end = page[-1].place if page else None
    if not has_more and not window.is_complete and window.events:
        end = window.events[-1].place
    total = len(shown) if window.is_complete and after is None else None
    return HistoryPage(page, has_more or not window.is_complete, end, total)


def count_touches(order: LedgerOrder, events: Iterable[Event]) -> int:
    """Return how often a person changed or unblocked an order after it was received, other than by self-service."""
    customer = order.submitted_by if order.channel in SELF_SERVICE else None
    return sum(is_touch(event, customer) and event.occurred_at >= order.submitted_at for event in events)
