"""The transport system's JSON as canonical records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schema.enums import ShipmentStatus, SourceSystem
from schema.records.orders import Milestone, Tracking

__all__ = ["read_milestone", "read_status", "read_tracking"]


def read_status(text: str) -> ShipmentStatus:
    """Return the status of a load; one that a carrier has not taken yet is a packed shipment for us."""
    return ShipmentStatus.PACKED if text == "TENDERED" else ShipmentStatus(text)


def read_tracking(row: Mapping[str, Any]) -> Tracking:
    """Return a load with its milestones by time."""
    milestones = sorted((read_milestone(entry) for entry in row["milestones"]), key=lambda milestone: milestone.at)
    return Tracking(
        shipment_number=row["shipmentNumber"],
        carrier=row["carrier"],
        tracking_number=row["trackingNumber"],
        status=read_status(row["status"]),
        milestones=tuple(milestones),
        estimated_delivery=_time(row.get("eta")),
        delivered_at=_time(row.get("deliveredAt")),
        proof_of_delivery_url=None,
    )


def read_milestone(row: Mapping[str, Any]) -> Milestone:
    """Return a milestone of a carrier."""
    return Milestone(
        code=row["code"],
        status=read_status(row["status"]),
        at=datetime.fromisoformat(row["at"]),
        place=row.get("city"),
        reason_code=row.get("reason"),
        source=SourceSystem.TMS,
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
