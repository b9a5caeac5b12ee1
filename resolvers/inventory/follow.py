"""The subscription of availability: changes of stock from where the client left off.

A client that is slower than the changes gets every event of the log in order, each with the figures of the moment at
which it is delivered. Positions are for the distributor's own people, as everywhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing

from events.ports import CursorUnknown, EventLog
from resolvers.access import is_customer
from resolvers.gap import Gap
from schema.events.envelope import EventFilter, StoredEvent
from schema.graphql.errors import BadUserInput, Forbidden
from schema.records.identity import Principal

__all__ = ["MAX_SKUS", "follow_stock"]

MAX_SKUS = 500
"""Skus that one subscription follows; who wants more subscribes again, so that one stream stays quick."""

CHANGED = "inventory.position.changed"


async def follow_stock(
    log: EventLog, skus: Collection[str], codes: Collection[str] | None, after: str | None, principal: Principal
) -> AsyncGenerator[StoredEvent, None]:
    """Yield changes of positions of these skus, in these warehouses (None: in all), in the order of the log.

    Raises:
        Forbidden: on the first step, when stock figures are not for the principal.
        BadUserInput: on the first step, when no sku is named, or too many are.
        Gap: on the first step, when the log does not hold ``after``.
    """
    if is_customer(principal):
        raise Forbidden(f"availabilityChanged: {principal.subject} may not see stock, ask for availability instead")
    if not 0 < len(skus) <= MAX_SKUS:
        raise BadUserInput(f"skus: {len(skus)} are named: name 1 to {MAX_SKUS}")
    wanted = frozenset(skus)
    try:
        async with aclosing(log.follow(EventFilter(types=(CHANGED,)), after)) as events:
            async for stored in events:
                data = stored.event.data
                if data.get("sku") in wanted and (codes is None or data.get("warehouseCode") in codes):
                    yield stored
    except CursorUnknown as error:
        raise Gap(error.cursor) from error
