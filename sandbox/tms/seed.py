"""The transport system's part of a world."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sandbox.kit.rest import utc_text
from sandbox.kit.store import Store
from sandbox.tms.codes import FINAL, status_code
from sandbox.world.model import WorldModel, WorldShipment

__all__ = ["seed"]

_OWN_WORDS = {"OUT_FOR_DELIVERY": "AJ"}
"""X12 214 codes of statuses for which the world has a word of its own."""

_LATER = timedelta(hours=6)
_APART = timedelta(minutes=37)
_LAST_HOURS = (("AJ", timedelta(hours=3)), ("X1", timedelta(minutes=10)), ("D1", timedelta()))
"""What comes before the delivery, and how long."""

_Row = tuple[object, ...]


def seed(store: Store, world: WorldModel) -> None:
    """Fill an empty store."""
    cities = [(place.code, place.address.city) for place in world.warehouses]
    cities += [(ship_to.id, ship_to.address.city) for ship_to in world.ship_tos]
    store.executemany("INSERT INTO places VALUES (?, ?)", cities)
    city = dict(cities)
    ship_to_of = {order.id: order.ship_to_id for order in world.orders}
    tendered = [shipment for shipment in world.shipments if shipment.carrier and shipment.tracking_number]
    loads: list[_Row] = []
    plans: list[_Row] = []
    milestones: list[_Row] = []
    for place, shipment in enumerate(tendered):
        told = list(_told(shipment))
        milestones += [(shipment.number, number, *entry) for number, entry in enumerate(told, 1)]
        last = status_code((str(entry[0]), str(entry[3])) for entry in told)
        loads.append(_load(world, shipment, ship_to_of[shipment.order_id], last, len(told)))
        if last not in FINAL:
            plans += _rest(world.now, place, shipment, city.get(ship_to_of[shipment.order_id]))
    marks = ", ".join("?" for _ in range(16))
    store.executemany(f"INSERT INTO loads VALUES ({marks})", loads)  # noqa: S608 - question marks
    store.executemany("INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?)", milestones)
    store.executemany("INSERT INTO plan VALUES (?, ?, ?, ?, ?)", plans)


def _told(shipment: WorldShipment) -> Iterator[_Row]:
    for milestone in shipment.milestones:
        if milestone.system == "TMS":
            code = _OWN_WORDS.get(milestone.status, milestone.code)
            yield (code, milestone.reason_code, milestone.place, utc_text(milestone.at))


def _load(world: WorldModel, shipment: WorldShipment, ship_to: str, last: str | None, told: int) -> _Row:
    left = next((entry.at for entry in reversed(shipment.milestones) if entry.system == "WMS"), world.now)
    changed = shipment.milestones[-1].at if told else left
    return (
        *(shipment.number, f"LD-{shipment.number}", f"sh:{shipment.number}:tender"),
        *(shipment.tracking_number, shipment.carrier),
        *(shipment.order_id, shipment.account_id, shipment.warehouse_code, ship_to),
        *(utc_text(left), _text(shipment.planned_delivery), _text(shipment.estimated_delivery)),
        *(_text(shipment.delivered_at), last, told, utc_text(changed)),
    )


def _rest(now: datetime, place: int, shipment: WorldShipment, city: str | None) -> Iterator[_Row]:
    """Return what a load on its way still has before it: over the next hours and days, not all at once."""
    soonest = now + _LATER + _APART * (place % 40)
    arrives = max(shipment.estimated_delivery or soonest, soonest)
    for code, before in _LAST_HOURS:
        yield (shipment.number, code, None, city, utc_text(arrives - before))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
