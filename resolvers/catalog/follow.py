"""The subscription of prices: changes of what one account pays, from where the client left off.

1. The log holds every change of the price book, and every customer's change of its price group, item by item; a change
   of an item that is not followed is left out.
2. So is one that leaves what the account pays as it was, such as a new list price below a contract.
3. An event is shown with the price of the moment of delivery, as of the day from which the change holds.

While the ERP is out nobody can say what a change means. It is told then rather than lost, with the system's name in
place of a price that is not remembered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date

from events.ports import CursorUnknown, EventLog
from processes.price_news import PRICE_CHANGED, change_of
from processes.rules.price_change import GroupMove
from processes.rules.uom import smallest_sold
from resolvers.access import can_see
from resolvers.catalog.pricing import MoveQuestion
from resolvers.catalog.reader import CatalogReader
from resolvers.gap import Gap
from schema.catalog.context import Priced, PriceQuestion
from schema.events.envelope import Event, EventFilter
from schema.graphql.errors import BadUserInput
from schema.records.catalog import Item
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.values import Quantity

__all__ = ["MAX_SKUS", "PriceMove", "follow_prices"]

MAX_SKUS = 200
"""Skus that one subscription follows, as many as a cart has lines; who wants more subscribes again."""


@dataclass(frozen=True, slots=True)
class PriceMove:
    """A change of what an account pays for an item, with the price as it is told now."""

    event: Event
    effective_from: date
    item: Item
    price: Priced | Problem


async def follow_prices(
    log: EventLog,
    account_id: str,
    skus: Collection[str],
    after: str | None,
    principal: Principal,
    renew: Callable[[], CatalogReader],
) -> AsyncGenerator[PriceMove, None]:
    """Yield changes of what an account pays for these skus, each once, in the order of the log.

    Args:
        log: the event log.
        account_id: who buys; of one that the principal may not see nothing is told, event by event.
        skus: which items.
        after: id of the last event that the client has seen; None follows from now on.
        principal: who follows.
        renew: gives a reader that has read nothing yet, for the next event.

    Raises:
        BadUserInput: on the first step, when no sku is named, or too many are.
        Gap: on the first step, when the log does not hold ``after``.
    """
    if not 0 < len(skus) <= MAX_SKUS:
        raise BadUserInput(f"skus: {len(skus)} are named: name 1 to {MAX_SKUS}")
    wanted = frozenset(skus)
    try:
        async with aclosing(log.follow(EventFilter(types=(PRICE_CHANGED,)), after)) as events:
            async for stored in events:
                if stored.event.data.get("sku") in wanted and can_see(principal, account_id):
                    move = await _move(stored.event, account_id, renew())
                    if move is not None:
                        yield move
    except CursorUnknown as error:
        raise Gap(error.cursor) from error


async def _move(event: Event, account_id: str, reader: CatalogReader) -> PriceMove | None:
    """Return what an event means for an account, None when it means nothing."""
    sku, since = str(event.data["sku"]), date.fromisoformat(event.data["effectiveFrom"])
    change = change_of(event)
    if isinstance(change, GroupMove) and event.account_id != account_id:
        return None
    item = await reader.item(sku)
    if item is None or not await reader.has_moved(MoveQuestion(account_id, sku, since, change)):
        return None
    quantity = Quantity(smallest_sold(item), item.base_uom)
    price = await reader.price(PriceQuestion(account_id, sku, quantity, max(since, reader.now.date())))
    return PriceMove(event, since, item, price)
