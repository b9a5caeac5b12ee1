"""Shipments as the event log tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from resolvers.orders.told import told_shipments, told_tracking
from schema.enums import ShipmentStatus, SourceSystem
from schema.events.envelope import Event

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)
WMS, TMS = SourceSystem.WMS, SourceSystem.TMS


def told(type_: str, hours: int, system: SourceSystem, number: str = "SH-1", **data: Any) -> Event:
    return Event(
        id=f"{number}:{type_}:{hours}",
        source="/dist/shipments",
        type=type_,
        subject=f"sh_{number}",
        partition_key="ord_1",
        correlation_id="ord_1",
        system=system,
        occurred_at=AT + timedelta(hours=hours),
        data={"shipmentNumber": number, "orderId": "ord_1", **data},
        account_id="acc_1",
    )


STORY = [
    told("order.released", 0, WMS, warehouse="W01", lines=[{"lineNo": 1, "quantity": "24", "uom": "EA"}]),
    told("order.released", 0, WMS, "SH-2", warehouse="W02", lines=[{"lineNo": 2, "quantity": "5", "uom": "EA"}]),
    told("shipment.picked", 1, WMS, code="PICKING", status="PICKING"),
    told(
        "shipment.packed", 2, WMS, code="PACKED", status="PACKED", lines=[{"lineNo": 1, "quantity": "20"}], sscc=["9"]
    ),
    told("shipment.tendered", 3, TMS, carrier="XMPL", trackingNumber="123"),
    told("shipment.delayed", 6, TMS, code="SD", status="DELAYED", reasonCode="AI", place="Reno"),
    told("shipment.milestone", 5, TMS, code="X6", status="IN_TRANSIT", place="Elko"),
]


def test_what_was_told_adds_up_to_the_shipment_as_its_warehouse_last_told_it():
    first, second = told_shipments(STORY, {1: "PMP-0042", 2: "VLV-0007"})
    assert (first.number, first.warehouse_code, first.status) == ("SH-1", "W01", ShipmentStatus.PACKED)
    assert [(line.sku, line.quantity.value) for line in first.lines] == [("PMP-0042", Decimal(20))]
    assert first.sscc == ("9",)
    assert [entry.code for entry in first.milestones] == ["PICKING", "PACKED"]
    assert (second.number, second.status, second.milestones) == ("SH-2", ShipmentStatus.RELEASED, ())
    assert (first.order_id, first.account_id) == ("ord_1", "acc_1")


def test_the_carrier_is_told_by_its_milestones_in_the_order_of_time():
    tracking = told_tracking(STORY, "SH-1")
    assert tracking is not None
    assert [(entry.code, entry.at.hour) for entry in tracking.milestones] == [("X6", 19), ("SD", 20)]
    assert (tracking.carrier, tracking.tracking_number, tracking.status) == ("XMPL", "123", ShipmentStatus.DELAYED)
    assert tracking.delivered_at is None


def test_before_a_carrier_said_anything_nothing_is_known_of_it():
    assert told_tracking(STORY, "SH-2") is None
    assert told_shipments([], {}) == ()
