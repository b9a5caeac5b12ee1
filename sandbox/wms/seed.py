"""The warehouse system's part of a world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from sandbox.kit.rest import utc_text
from sandbox.kit.store import Store
from sandbox.world.model import WorldModel, WorldShipment

__all__ = ["seed"]

_OPEN = {"RELEASED": "PICKING", "PICKING": "PACKED"}
"""What comes next for a shipment that is still in the house."""


def seed(store: Store, world: WorldModel) -> None:
    """Fill an empty store."""
    now = utc_text(world.now)
    store.executemany(
        "INSERT INTO warehouses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                *(place.code, place.name, place.address.line1, place.address.city, place.address.region),
                *(place.address.postal_code, place.address.country, place.address.gln),
                *(place.time_zone, place.cutoff, place.status),
            )
            for place in world.warehouses
        ),
    )
    base_uom = {item.sku: item.base_uom for item in world.items}
    store.executemany(
        "INSERT INTO stock VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)",
        (
            (
                *(position.sku, position.warehouse_code, base_uom[position.sku]),
                *(_milli(position.on_hand), _milli(position.allocated), _milli(position.blocked)),
                *(_milli(position.safety_stock), now),
            )
            for position in world.stock
        ),
    )
    store.executemany(
        "INSERT INTO shipments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_shipment(world, place, shipment) for place, shipment in enumerate(world.shipments)),
    )
    store.executemany(
        "INSERT INTO shipment_lines VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (shipment.number, line.line_no, line.sku, _milli(line.quantity), _milli(line.quantity), line.uom, line.lot)
            for shipment in world.shipments
            for line in shipment.lines
        ),
    )
    store.executemany("INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?)", _milestones(world))


def _shipment(world: WorldModel, place: int, shipment: WorldShipment) -> tuple[object, ...]:
    own = [milestone for milestone in shipment.milestones if milestone.system == "WMS"]
    next_step = _OPEN.get(shipment.status)
    planned = None if shipment.planned_delivery is None else utc_text(shipment.planned_delivery)
    # What waits in the house at the start goes on over the next hours, not all at once.
    next_at = None if next_step is None else utc_text(world.now + timedelta(hours=6, minutes=37 * (place % 40)))
    return (
        *(shipment.number, shipment.order_id, shipment.account_id, shipment.warehouse_code, own[-1].status),
        *(json.dumps(shipment.sscc), planned, utc_text(own[-1].at), len(own), next_step, next_at),
    )


def _milestones(world: WorldModel) -> Iterator[tuple[object, ...]]:
    for shipment in world.shipments:
        own = [milestone for milestone in shipment.milestones if milestone.system == "WMS"]
        for number, milestone in enumerate(own, 1):
            place = milestone.place or shipment.warehouse_code
            yield (shipment.number, number, milestone.code, milestone.status, utc_text(milestone.at), place)


def _milli(quantity: Decimal) -> int:
    return int(quantity * 1000)
