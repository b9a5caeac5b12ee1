"""The warehouse system's JSON as canonical records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from schema.enums import ShipmentStatus, SourceSystem
from schema.records.inventory import StockPosition, Warehouse, warehouse_id
from schema.records.orders import Milestone, Shipment, ShipmentLine
from schema.records.values import Address, ExternalRef, Quantity

__all__ = ["read_milestone", "read_position", "read_shipment", "read_warehouse", "shipment_id"]


def shipment_id(number: str) -> str:
    """Return the platform id of a shipment."""
    return f"sh_{number}"


def read_warehouse(row: Mapping[str, Any]) -> Warehouse:
    """Return a warehouse."""
    address = row["address"]
    return Warehouse(
        id=warehouse_id(row["code"]),
        code=row["code"],
        name=row["name"],
        address=Address(
            line1=address["line1"],
            city=address["city"],
            postal_code=address["postalCode"],
            country=address["country"],
            region=address.get("region"),
            gln=address.get("gln"),
        ),
        time_zone=row["timeZone"],
        cutoff=row["cutoff"],
        status=row["status"],
        refs=(ExternalRef(SourceSystem.WMS, row["code"]),),
    )


def read_position(row: Mapping[str, Any]) -> StockPosition:
    """Return a stock position."""
    return StockPosition(
        sku=row["sku"],
        warehouse_code=row["warehouse"],
        on_hand=Decimal(row["onHand"]),
        allocated=Decimal(row["allocated"]),
        blocked=Decimal(row["blocked"]),
        safety_stock=Decimal(row["safetyStock"]),
        uom=row["uom"],
        sequence=int(row["sequence"]),
        as_of=datetime.fromisoformat(row["changedAt"]),
    )


def read_shipment(row: Mapping[str, Any]) -> Shipment:
    """Return a shipment with lines and milestones."""
    planned = row.get("plannedDelivery")
    return Shipment(
        id=shipment_id(row["number"]),
        number=row["number"],
        order_id=row["orderRef"],
        account_id=row["accountRef"],
        warehouse_code=row["warehouse"],
        status=ShipmentStatus(row["status"]),
        sscc=tuple(row["sscc"]),
        lines=tuple(
            ShipmentLine(
                line_no=int(line["lineNo"]),
                sku=line["sku"],
                quantity=Quantity(Decimal(line["quantity"]), line["uom"]),
                lot=line.get("lot"),
            )
            for line in row["lines"]
        ),
        milestones=tuple(read_milestone(milestone) for milestone in row["milestones"]),
        planned_delivery=None if planned is None else datetime.fromisoformat(planned),
        changed_at=datetime.fromisoformat(row["changedAt"]),
    )


def read_milestone(row: Mapping[str, Any]) -> Milestone:
    """Return a milestone of the warehouse."""
    return Milestone(
        code=row["code"],
        status=ShipmentStatus(row["status"]),
        at=datetime.fromisoformat(row["at"]),
        place=row.get("place"),
        reason_code=None,
        source=SourceSystem.WMS,
    )
