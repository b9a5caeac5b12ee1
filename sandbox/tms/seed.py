"""The transport system's part of a world."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sandbox.kit.rest import utc_text
from sandbox.kit.store import Store
from sandbox.world.model import WorldMilestone, WorldModel, WorldShipment

__all__ = ["seed"]

_NEXT = {"AF": "X6", "X6": "OF", "SD": "OF", "OF": "D1"}


def seed(store: Store, world: WorldModel) -> None:
    """Fill an empty store."""
    tendered = [shipment for shipment in world.shipments if shipment.carrier is not None]
    city_of = {place.id: place.address.city for place in world.ship_tos}
    place_of = {order.id: city_of[order.ship_to_id] for order in world.orders}
    origin_of = {place.code: place.address.city for place in world.warehouses}
    store.executemany(
        "INSERT INTO loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            _load(world, number, shipment, origin_of[shipment.warehouse_code], place_of[shipment.order_id])
            for number, shipment in enumerate(tendered)
        ),
    )
    store.executemany(
        "INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row for shipment in tendered for row in _milestones(shipment, origin_of[shipment.warehouse_code])),
    )


def _own(shipment: WorldShipment) -> list[WorldMilestone]:
    return [milestone for milestone in shipment.milestones if milestone.system == "TMS"]


def _load(world: WorldModel, number: int, shipment: WorldShipment, origin: str, city: str) -> tuple[object, ...]:
    own = _own(shipment)
    last = own[-1] if own else None
    step = _NEXT.get(last.code) if last else "AF"
    # Loads under way at the start go on over the next hours, not all at once.
    next_at = None if step is None else utc_text(world.now + timedelta(hours=5, minutes=53 * (number % 40)))
    eta = None if shipment.estimated_delivery is None else utc_text(shipment.estimated_delivery)
    delivered = None if shipment.delivered_at is None else utc_text(shipment.delivered_at)
    return (
        *(f"LD-{shipment.number}", f"sh:{shipment.number}:tender", "{}", shipment.number),
        *(shipment.order_id, shipment.account_id, origin, city, shipment.carrier, shipment.tracking_number),
        *(last.status if last else "TENDERED", eta, delivered, len(own), step, next_at),
    )


def _milestones(shipment: WorldShipment, origin: str) -> Iterator[tuple[object, ...]]:
    for number, entry in enumerate(_own(shipment), 1):
        city = entry.place or origin
        yield (f"LD-{shipment.number}", number, entry.code, entry.status, utc_text(entry.at), city, entry.reason_code)
