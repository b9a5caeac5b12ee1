"""Orders for the ERP sandbox to take, and how its connector is set up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from schema.enums import OrderChannel
from schema.records.orders import NewErpLine, NewErpOrder
from schema.records.values import Money, Quantity
from systems.business_central import BusinessCentralSettings

SETTINGS = BusinessCentralSettings("", "crossdock", "sandbox-erp-secret", timeout_s=2)


def line(number: int = 1, sku: str = "VLV-0007", quantity: str = "3", uom: str = "EA", **changes: Any) -> NewErpLine:
    made = NewErpLine(
        line_no=number,
        sku=sku,
        description="a valve",
        quantity=Quantity(Decimal(quantity), uom),
        unit_price=Money(Decimal("12.3456"), "USD"),
        requested_date=date(2026, 3, 9),
        warehouse_code="W01",
    )
    return replace(made, **changes)


def order(number: int = 1, *lines: NewErpLine, **changes: Any) -> NewErpOrder:
    made = NewErpOrder(
        key=f"or:ord_t{number}:erp",
        order_id=f"ord_t{number}",
        number=f"SO-9{number:05d}",
        account_id="acc_1",
        ship_to_id="shp_1",
        po_number="PO-1",
        channel=OrderChannel.PORTAL,
        currency="USD",
        requested_date=date(2026, 3, 9),
        opportunity_id="opp_9",
        quote_id=None,
        lines=lines or (line(),),
    )
    return replace(made, **changes)
