"""Shipments as the event log tells them, for when warehouse or carrier give no answer.

Every release and every news of a shipment is an event under its order. What they say adds up to the shipment as its
warehouse and its carrier last told it: its milestones carry the times as of which it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from events.ports import EventLog
from resolvers.orders.follow import milestone_of
from schema.enums import ShipmentStatus, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.orders import Milestone, Shipment, ShipmentLine, Tracking
from schema.records.values import Quantity

__all__ = ["TOLD", "told_of", "told_of_shipment", "told_shipments", "told_tracking"]

TOLD = ("order.released", "shipment.*")
"""Events that say something of a shipment."""

MAX_EVENTS = 1_000
"""Events of one order that are read; one with a hundred shipments has about as many."""

_UNKNOWN_UOM = "EA"


async def told_of(log: EventLog, order_id: str) -> list[Event]:
    """Return what was told of an order's shipments."""
    found = await log.read(EventFilter(types=TOLD, partition_key=order_id), None, MAX_EVENTS)
    return [stored.event for stored in found]


async def told_of_shipment(log: EventLog, shipment_id: str) -> list[Event]:
    """Return what was told of the shipments of the order that a shipment belongs to; nothing for an unknown one."""
    found = await log.read(EventFilter(types=("shipment.*",), subject=shipment_id), None, 1)
    return await told_of(log, found[0].event.partition_key) if found else []


def told_shipments(events: Iterable[Event], skus: Mapping[int, str]) -> tuple[Shipment, ...]:
    """Return shipments as events tell them, oldest first; ``skus`` are those of the order's lines."""
    stories: dict[str, list[Event]] = {}
    for event in events:
        number = event.data.get("shipmentNumber")
        if isinstance(number, str):
            stories.setdefault(number, []).append(event)
    made = [_shipment(number, story, skus) for number, story in stories.items()]
    return tuple(sorted(made, key=lambda shipment: (len(shipment.number), shipment.number)))


def told_tracking(events: Iterable[Event], number: str) -> Tracking | None:
    """Return what a carrier said of a shipment, None before it had said anything."""
    story = [event for event in events if event.data.get("shipmentNumber") == number]
    milestones = _milestones(event for event in story if event.system is SourceSystem.TMS and "code" in event.data)
    if not milestones:
        return None
    delivered = [entry.at for entry in milestones if entry.status is ShipmentStatus.DELIVERED]
    expected = _latest(story, "estimatedDelivery")
    return Tracking(
        shipment_number=number,
        carrier=str(_latest(story, "carrier") or ""),
        tracking_number=str(_latest(story, "trackingNumber") or ""),
        status=milestones[-1].status,
        milestones=milestones,
        estimated_delivery=None if expected is None else datetime.fromisoformat(str(expected)),
        delivered_at=delivered[0] if delivered else None,
        proof_of_delivery_url=None,
    )


def _shipment(number: str, story: list[Event], skus: Mapping[int, str]) -> Shipment:
    first = story[0]
    milestones = _milestones(event for event in story if event.system is SourceSystem.WMS and "code" in event.data)
    lines = _latest(story, "lines") or ()
    return Shipment(
        id=f"sh_{number}",
        number=number,
        order_id=first.partition_key,
        account_id=first.account_id or "",
        warehouse_code=str(_latest(story, "warehouse") or ""),
        status=milestones[-1].status if milestones else ShipmentStatus.RELEASED,
        sscc=tuple(_latest(story, "sscc") or ()),
        lines=tuple(_line(entry, skus) for entry in lines if isinstance(entry, Mapping) and "lineNo" in entry),
        milestones=milestones,
        planned_delivery=None,
        changed_at=max(event.occurred_at for event in story),
    )


def _line(entry: Mapping[str, Any], skus: Mapping[int, str]) -> ShipmentLine:
    number = int(entry["lineNo"])
    try:
        quantity = Decimal(str(entry.get("quantity")))
    except InvalidOperation:
        quantity = Decimal(0)
    return ShipmentLine(number, skus.get(number, ""), Quantity(quantity, str(entry.get("uom") or _UNKNOWN_UOM)), None)


def _milestones(events: Iterable[Event]) -> tuple[Milestone, ...]:
    found = (milestone_of(event, ShipmentStatus.RELEASED) for event in events)
    return tuple(sorted(found, key=lambda milestone: milestone.at))


def _latest(story: Iterable[Event], name: str) -> Any:
    """Return the last thing that was said under a name, None when nothing was."""
    said = [event.data[name] for event in story if event.data.get(name)]
    return said[-1] if said else None
