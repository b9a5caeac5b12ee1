"""Sales orders between the ERP's JSON and ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from schema.enums import OrderChannel, OrderStatus, SourceSystem
from schema.records.orders import Allocation, ErpLine, ErpOrder, ErpOrderChange, NewErpLine, NewErpOrder
from schema.records.values import ExternalRef, Quantity
from systems.business_central.values import json_number, read_amount, read_date, read_money, read_time, word
from systems.ports import AllocationResult

__all__ = [
    "EXPAND_LINES",
    "ORDER_FIELDS",
    "STATUS_WORDS",
    "read_allocation",
    "read_order",
    "write_change",
    "write_order",
]

ORDER_FIELDS = (
    "number,orderId,accountId,shipToId,poNumber,channel,status,currencyCode,totalAmountExcludingTax,totalTaxAmount,"
    "freight,totalAmountIncludingTax,requestedDeliveryDate,promisedDeliveryDate,submittedAt,acceptedAt,completedAt,"
    "opportunityId,quoteId"
)
EXPAND_LINES = (
    "lines($select=sequence,lineObjectNumber,description,unitOfMeasureCode,quantity,unitPrice,netAmount,locationCode,"
    "allocated,backordered,shipped,invoiced,cancelled,promisedDeliveryDate,shipDate)"
)
_STATUS = {
    "Draft": OrderStatus.VALIDATING,
    "In Review": OrderStatus.ON_HOLD,
    "Open": OrderStatus.ACCEPTED,
    "Completed": OrderStatus.COMPLETED,
    "Cancelled": OrderStatus.CANCELLED,
}
STATUS_WORDS = {status: text for text, status in _STATUS.items()}
"""The ERP's words for our statuses; the others are the platform's own."""

_CHANNELS = {channel.value: channel for channel in OrderChannel}


def read_order(row: Mapping[str, Any]) -> ErpOrder:
    """Return an order with its lines."""
    currency, submitted = row["currencyCode"], read_time(row["submittedAt"])
    if submitted is None:
        raise ValueError(f"order {row['number']} has no time of submission")
    return ErpOrder(
        id=str(row["orderId"]),
        number=row["number"],
        account_id=row["accountId"],
        ship_to_id=row["shipToId"],
        po_number=row["poNumber"],
        channel=word("order channel", row["channel"], _CHANNELS),
        status=word("order status", row["status"], _STATUS),
        currency=currency,
        lines=tuple(_line(line, currency) for line in row["lines"]),
        subtotal=read_money(row["totalAmountExcludingTax"], currency),
        tax=read_money(row["totalTaxAmount"], currency),
        freight=read_money(row["freight"], currency),
        total=read_money(row["totalAmountIncludingTax"], currency),
        requested_date=read_date(row["requestedDeliveryDate"]),
        promised_date=read_date(row["promisedDeliveryDate"]),
        submitted_at=submitted,
        accepted_at=read_time(row["acceptedAt"]),
        completed_at=read_time(row["completedAt"]),
        opportunity_id=row["opportunityId"],
        quote_id=row["quoteId"],
        home_erp=SourceSystem.CLOUD_ERP,
        refs=(ExternalRef(SourceSystem.CLOUD_ERP, row["number"]),),
        etag=row["@odata.etag"],
    )


def read_allocation(row: Mapping[str, Any]) -> AllocationResult:
    """Return what one line got."""
    return AllocationResult(
        line_no=int(row["sequence"]),
        warehouse_code=row["locationCode"],
        allocated=read_amount(row["allocated"]),
        backordered=read_amount(row["backordered"]),
        ship_date=read_date(row["shipDate"]),
        backorder_date=read_date(row["backorderDate"]),
    )


def write_order(order: NewErpOrder) -> dict[str, Any]:
    """Return the body that creates an order; amounts are JSON numbers with all of their digits."""
    return {
        "externalDocumentNumber": order.key,
        "orderId": order.order_id,
        "number": order.number,
        "accountId": order.account_id,
        "shipToId": order.ship_to_id,
        "poNumber": order.po_number,
        "channel": order.channel.value,
        "currencyCode": order.currency,
        "requestedDeliveryDate": _iso(order.requested_date),
        "opportunityId": order.opportunity_id,
        "quoteId": order.quote_id,
        "lines": [_new_line(line) for line in order.lines],
    }


def write_change(change: ErpOrderChange) -> dict[str, Any]:
    """Return the body that changes lines of an order and adds others."""
    return {
        "key": change.key,
        "lines": [
            {
                "sequence": line.line_no,
                "quantity": json_number(line.quantity),
                "unitPrice": json_number(line.unit_price.amount),
                "requestedDeliveryDate": _iso(line.requested_date),
            }
            for line in change.lines
        ]
        + [_new_line(line) for line in change.added],
    }


def _new_line(line: NewErpLine) -> dict[str, Any]:
    return {
        "sequence": line.line_no,
        "lineObjectNumber": line.sku,
        "description": line.description,
        "quantity": json_number(line.quantity.value),
        "unitOfMeasureCode": line.quantity.uom,
        "unitPrice": json_number(line.unit_price.amount),
        "requestedDeliveryDate": _iso(line.requested_date),
        "locationCode": line.warehouse_code,
    }


def _line(row: Mapping[str, Any], currency: str) -> ErpLine:
    uom, allocated = row["unitOfMeasureCode"], read_amount(row["allocated"])
    return ErpLine(
        line_no=int(row["sequence"]),
        sku=row["lineObjectNumber"],
        description=row["description"],
        uom=uom,
        ordered=read_amount(row["quantity"]),
        allocated=allocated,
        backordered=read_amount(row["backordered"]),
        shipped=read_amount(row["shipped"]),
        invoiced=read_amount(row["invoiced"]),
        cancelled=read_amount(row["cancelled"]),
        unit_price=read_money(row["unitPrice"], currency),
        extended=read_money(row["netAmount"], currency),
        promised_date=read_date(row["promisedDeliveryDate"]),
        allocations=(_allocation(row, Quantity(allocated, uom)),) if allocated > 0 else (),
    )


def _allocation(row: Mapping[str, Any], quantity: Quantity) -> Allocation:
    code, ship_date = row["locationCode"], read_date(row["shipDate"])
    if code is None or ship_date is None:
        raise ValueError(f"line {row['sequence']} is allocated nowhere or to no day")
    return Allocation(code, quantity, ship_date, firm=True)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
