"""A shipment that is late is found without a word of its carrier (P4): by its silence, or by when it is expected.

Both are read from the event log, in its order. Silence counts from when news came in: what a carrier tells late is
news, and what it dates ahead is none yet to come. For each the place up to which was looked is kept, so that every
milestone is looked at once, by whichever program is there then. What is found starts the delay process, once per
shipment and ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from events.ports import EventLog
from processes.fulfilment import DELAY, StartsShipmentProcess
from processes.invoice_watch import pass_over
from processes.questions import heard_at
from processes.rules.delays import ETA, SILENCE, SILENT_AFTER, is_behind, is_silent
from processes.shipment_case import ShipmentRequest
from schema.enums import ShipmentStatus
from schema.events.envelope import Event, EventFilter, StoredEvent
from schema.records.orders import LedgerOrder
from systems.ports import FeedCursors

__all__ = ["ShipmentWatch", "pass_over_milestones"]

EXPECTED_FEED = "shipments.expected"
"""Name of the place up to which it was looked when shipments are expected."""

SILENCE_FEED = "shipments.silent"
"""Name of the place up to which it was looked whether shipments were heard of again."""

AT_ONCE = 100
"""Milestones that are looked at together."""

LOOKED_BACK = timedelta(days=7)
"""A shipment last heard of longer ago is not asked about: a past that is read late would ask about all of it."""

MAX_MILESTONES = 500
"""Milestones of one shipment that are looked through for the latest; a shipment has some ten."""

_MILESTONES = EventFilter(
    types=("shipment.milestone", "shipment.shipped", "shipment.delayed", "shipment.failed", "shipment.delivered")
)


class ShipmentWatch:
    """Looks which shipments are late.

    Args:
        engine: runs the processes that follow.
    """

    def __init__(self, engine: StartsShipmentProcess) -> None:
        self._engine = engine
        self._use = engine.dependencies

    async def look_at_expected(self) -> int:
        """Look at the next milestones for shipments expected after their promise, and return how many there were.

        Cancel/retry: safe to repeat; a shipment that is found twice is late once.

        Raises:
            ConnectorError: the platform's ledgers do not answer.
        """
        place = await self._use.cursors.place(EXPECTED_FEED)
        found = await self._use.events.read_on(_MILESTONES, place, AT_ONCE)
        told = [stored.event for stored in found if _expected(stored.event) is not None]
        orders = await self._use.orders.orders(list({event.partition_key for event in told})) if told else {}
        for event in told:
            if _is_expected_late(event, orders):
                await self._engine.start_shipment(_request(event, ETA, event.occurred_at))
        if found:
            await self._use.cursors.move(EXPECTED_FEED, found[-1].position)
        return len(found)

    async def look_for_silence(self) -> int:
        """Look at the next milestones after which something had to be heard, and return how many there were.

        Cancel/retry: safe to repeat; a shipment that is found twice is late once.

        Raises:
            ConnectorError: the platform's ledgers do not answer.
        """
        now = self._use.clock.now()
        place = await self._use.cursors.place(SILENCE_FEED)
        due = []
        for stored in await self._use.events.read_on(_MILESTONES, place, AT_ONCE):
            if now - heard_at(stored) <= SILENT_AFTER:
                break
            due.append(stored)
        for stored in due:
            event, heard = stored.event, heard_at(stored)
            if heard > now - LOOKED_BACK and is_silent(_status(event), heard, now) and await self._is_last(stored):
                await self._engine.start_shipment(_request(event, SILENCE, heard + SILENT_AFTER))
        if due:
            await self._use.cursors.move(SILENCE_FEED, due[-1].position)
        return len(due)

    async def _is_last(self, last: StoredEvent) -> bool:
        """Return whether nothing was heard of the shipment since, and never of its delivery."""
        story = EventFilter(types=_MILESTONES.types, subject=last.event.subject)
        return not any(
            stored.position > last.position or stored.event.type == "shipment.delivered"
            for stored in await self._use.events.read(story, None, MAX_MILESTONES)
        )


async def pass_over_milestones(events: EventLog, cursors: FeedCursors) -> None:
    """Take every milestone as looked at: a past that was brought in is over."""
    for feed in (EXPECTED_FEED, SILENCE_FEED):
        await pass_over(events, cursors, feed, _MILESTONES)


def _is_expected_late(event: Event, orders: Mapping[str, LedgerOrder]) -> bool:
    order = orders.get(event.partition_key)
    # A delay that the carrier reports has started the process already.
    return (
        order is not None
        and event.type != "shipment.delayed"
        and is_behind(_status(event), _expected(event), order.promised_date)
    )


def _request(event: Event, ground: str, at: datetime) -> ShipmentRequest:
    number = str(event.data["shipmentNumber"])
    return ShipmentRequest(
        process_id=f"prc_{DELAY.lower()}_{number}_{ground.lower()}",
        kind=DELAY,
        shipment_number=number,
        order_id=event.partition_key,
        account_id=str(event.account_id),
        status=ShipmentStatus(_status(event)),
        at=at,
        reason_code=ground,
        estimated_delivery=_expected(event),
    )


def _status(event: Event) -> str:
    return str(event.data.get("status"))


def _expected(event: Event) -> datetime | None:
    told = event.data.get("estimatedDelivery")
    return None if told is None else datetime.fromisoformat(str(told))
