"""The transport system's JSON as canonical records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from schema.enums import ShipmentStatus, SourceSystem
from schema.records.orders import Milestone, Tracking

__all__ = [
    "FINAL",
    "MILESTONE_ONLY",
    "STATUS",
    "TENDERED",
    "read_milestone",
    "read_milestones",
    "read_optional_time",
    "read_tracking",
]

_S = ShipmentStatus

STATUS: Mapping[str, ShipmentStatus] = {
    "CP": _S.LOADED,
    "AM": _S.LOADED,
    "AF": _S.DEPARTED,
    "X6": _S.IN_TRANSIT,
    "SD": _S.DELAYED,
    "AJ": _S.OUT_FOR_DELIVERY,
    "D1": _S.DELIVERED,
    "A7": _S.DELIVERY_FAILED,
    "AP": _S.DELIVERY_FAILED,
    "A3": _S.RETURNED,
    "CA": _S.CANCELLED,
}
"""What X12 214 codes say of a shipment."""

MILESTONE_ONLY = frozenset({"X1", "X3", "AG", "X2"})
"""Codes that say where the goods or their dates are, while the status stays."""

TENDERED = _S.PACKED
"""What a shipment is that its carrier has not taken yet."""

FINAL = frozenset({_S.DELIVERED, _S.RETURNED, _S.CANCELLED})
"""Statuses that nothing follows, whatever is reported after them."""


def read_tracking(row: Mapping[str, Any]) -> Tracking:
    """Return what a load's carrier reports."""
    milestones = read_milestones(row["milestones"])
    return Tracking(
        shipment_number=row["shipmentNumber"],
        carrier=row["carrier"],
        tracking_number=row["trackingNumber"],
        status=status_after(milestones),
        milestones=milestones,
        estimated_delivery=read_optional_time(row["eta"]),
        delivered_at=read_optional_time(row["deliveredAt"]),
        proof_of_delivery_url=row.get("proofOfDeliveryUrl"),
    )


def read_milestones(rows: Iterable[Mapping[str, Any]]) -> tuple[Milestone, ...]:
    """Return milestones by time.

    A code that only marks a place, or that nobody knows here, has the status that the shipment had before it; before
    the first one that is :data:`TENDERED`.
    """
    status, found = TENDERED, []
    for row in sorted(rows, key=lambda row: datetime.fromisoformat(row["at"])):
        said = STATUS.get(row["code"], status)
        status = status if status in FINAL else said
        found.append(read_milestone(row, said))
    return tuple(found)


def read_milestone(row: Mapping[str, Any], status: ShipmentStatus) -> Milestone:
    """Return a milestone at which the shipment had this status."""
    return Milestone(
        code=str(row["code"]),
        status=status,
        at=datetime.fromisoformat(row["at"]),
        place=row.get("city"),
        reason_code=row.get("reason"),
        source=SourceSystem.TMS,
    )


def status_after(milestones: Iterable[Milestone]) -> ShipmentStatus:
    """Return where a shipment stands after milestones in order of time: the newest counts, an end is final."""
    status = TENDERED
    for milestone in milestones:
        if status not in FINAL:
            status = milestone.status
    return status


def read_optional_time(text: str | None) -> datetime | None:
    """Return a time, None when there is none."""
    return None if text is None else datetime.fromisoformat(text)
