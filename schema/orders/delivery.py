"""How far one shipment is, out of what the warehouse and the carrier say.

Each hears late of what the other does. Until it leaves, the warehouse's word counts, then the carrier's; ends are
final, so that a late message never takes a shipment back.
"""

from __future__ import annotations

from schema.enums import ShipmentStatus
from schema.orders.views import Delivery
from schema.records.orders import Milestone

__all__ = ["ARRIVED", "LEFT", "has_arrived", "has_left", "milestones_of", "status_of"]

_S = ShipmentStatus
_PROGRESS = (
    _S.PLANNED,
    _S.RELEASED,
    _S.PICKING,
    _S.PACKED,
    _S.LOADED,
    _S.DEPARTED,
    _S.IN_TRANSIT,
    _S.DELAYED,
    _S.OUT_FOR_DELIVERY,
    _S.DELIVERY_FAILED,
    _S.DELIVERED,
    _S.RETURNED,
    _S.CANCELLED,
)
_RANK = {status: rank for rank, status in enumerate(_PROGRESS)}
LEFT = frozenset(_PROGRESS[_RANK[_S.LOADED] : _RANK[_S.CANCELLED]])
"""Shipments that are out of the warehouse."""

ARRIVED = frozenset({_S.DELIVERED, _S.RETURNED})
"""Shipments that have come to their end at the customer's, even if they came back from there."""


def status_of(delivery: Delivery) -> ShipmentStatus:
    """Return how far a shipment is: the warehouse's word until it leaves, then the carrier's; ends are final."""
    stored, tracking = delivery.shipment.status, delivery.tracking
    if tracking is None or stored is _S.CANCELLED:
        return stored
    if stored in ARRIVED and tracking.status not in ARRIVED:
        return stored
    if tracking.status in LEFT or tracking.status is _S.CANCELLED:
        return tracking.status
    return max(stored, tracking.status, key=_RANK.__getitem__)


def has_left(delivery: Delivery) -> bool:
    """Return whether a shipment has left the warehouse."""
    return status_of(delivery) in LEFT


def has_arrived(delivery: Delivery) -> bool:
    """Return whether a shipment has come to its end at the customer's, even if it came back from there."""
    return status_of(delivery) in ARRIVED


def milestones_of(delivery: Delivery) -> tuple[Milestone, ...]:
    """Return what happened to a shipment according to both systems, in order of time, each thing once."""
    told = (*delivery.shipment.milestones, *(delivery.tracking.milestones if delivery.tracking is not None else ()))
    distinct = {(entry.code, entry.at): entry for entry in told}
    return tuple(sorted(distinct.values(), key=lambda entry: entry.at))
