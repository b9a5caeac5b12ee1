"""Sales orders between the old programs' records and ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from schema.enums import OrderChannel, OrderStatus, SourceSystem
from schema.records.orders import Allocation, ErpLine, ErpOrder, ErpOrderChange, NewErpLine, NewErpOrder
from schema.records.values import ExternalRef, Quantity
from systems.legacy_erp.fields import (
    QUANTITY,
    UNIT_PRICE,
    Record,
    date_number,
    implied,
    read_amount,
    read_count,
    read_date,
    read_moment,
    read_money,
    read_text,
    read_word,
    text_or_none,
)
from systems.ports import AllocationResult

__all__ = ["STATUS_CODES", "read_allocation", "read_order", "write_change", "write_order"]

DESCRIPTION_CHARS = 120
"""Width of the description of a line."""

_STATUS = {
    "DR": OrderStatus.VALIDATING,
    "HL": OrderStatus.ON_HOLD,
    "OP": OrderStatus.ACCEPTED,
    "CL": OrderStatus.COMPLETED,
    "CN": OrderStatus.CANCELLED,
}
STATUS_CODES = {status: code for code, status in _STATUS.items()}
"""The ERP's codes for our statuses; the others are the platform's own."""

_CHANNELS = {
    "SR": OrderChannel.SALES_REP,
    "PT": OrderChannel.PORTAL,
    "MB": OrderChannel.MOBILE,
    "ED": OrderChannel.EDI,
    "EC": OrderChannel.ECOM,
    "SD": OrderChannel.SERVICE_DESK,
}
_CHANNEL_CODES = {channel: code for code, channel in _CHANNELS.items()}


def read_order(record: Record) -> ErpOrder:
    """Return an order with its lines."""
    number, currency = read_text(record, "ORDNO"), read_text(record, "CURCD")
    submitted = read_moment(record, "ENT")
    if submitted is None:
        raise ValueError(f"order {number} has no time of entry")
    return ErpOrder(
        id=read_text(record, "ORXREF"),
        number=number,
        account_id=read_text(record, "CUXREF"),
        ship_to_id=text_or_none(record, "STXREF"),
        po_number=text_or_none(record, "PONO"),
        channel=read_word("order channel", record, "CHANL", _CHANNELS),
        status=read_word("order status", record, "ORSTS", _STATUS),
        currency=currency,
        lines=tuple(_line(line, currency) for line in record["LINS"]),
        subtotal=read_money(record, "NETAM", currency),
        tax=read_money(record, "TAXAM", currency),
        freight=read_money(record, "FRTAM", currency),
        total=read_money(record, "TOTAM", currency),
        requested_date=read_date(record, "REQDT"),
        promised_date=read_date(record, "PRMDT"),
        submitted_at=submitted,
        accepted_at=read_moment(record, "ACC"),
        completed_at=read_moment(record, "CLS"),
        opportunity_id=text_or_none(record, "OPXREF"),
        quote_id=text_or_none(record, "QUXREF"),
        home_erp=SourceSystem.LEGACY_ERP,
        refs=(ExternalRef(SourceSystem.LEGACY_ERP, number),),
        etag=str(read_count(record, "CHGNO")),
    )


def _line(line: Record, currency: str) -> ErpLine:
    uom, allocated = read_text(line, "UOM"), read_amount(line, "ALCQT", QUANTITY)
    return ErpLine(
        line_no=read_count(line, "LINNO"),
        sku=read_text(line, "ITMNO"),
        description=read_text(line, "ITDSC"),
        uom=uom,
        ordered=read_amount(line, "ORDQT", QUANTITY),
        allocated=allocated,
        backordered=read_amount(line, "BCKQT", QUANTITY),
        shipped=read_amount(line, "SHPQT", QUANTITY),
        invoiced=read_amount(line, "INVQT", QUANTITY),
        cancelled=read_amount(line, "CNCQT", QUANTITY),
        unit_price=read_money(line, "UNPRC", currency, UNIT_PRICE),
        extended=read_money(line, "NETAM", currency),
        promised_date=read_date(line, "PRMDT"),
        allocations=(_allocation(line, Quantity(allocated, uom)),) if allocated > Decimal(0) else (),
    )


def _allocation(line: Record, quantity: Quantity) -> Allocation:
    code, ship_date = text_or_none(line, "WHSCD"), read_date(line, "SHPDT")
    if code is None or ship_date is None:
        raise ValueError(f"line {line['LINNO']} is allocated nowhere or to no day")
    return Allocation(code, quantity, ship_date, firm=True)


def read_allocation(record: Record) -> AllocationResult:
    """Return what one line got."""
    return AllocationResult(
        line_no=read_count(record, "LINNO"),
        warehouse_code=text_or_none(record, "WHSCD"),
        allocated=read_amount(record, "ALCQT", QUANTITY),
        backordered=read_amount(record, "BCKQT", QUANTITY),
        ship_date=read_date(record, "SHPDT"),
        backorder_date=read_date(record, "BCKDT"),
    )


def write_order(order: NewErpOrder) -> dict[str, Any]:
    """Return what enters an order; a description is cut to the width of its field."""
    return {
        "EXTDC": order.key,
        "ORXREF": order.order_id,
        "ORDNO": order.number,
        "CUXREF": order.account_id,
        "STXREF": order.ship_to_id,
        "PONO": order.po_number or "",
        "CHANL": _CHANNEL_CODES[order.channel],
        "CURCD": order.currency,
        "REQDT": date_number(order.requested_date),
        "OPXREF": order.opportunity_id or "",
        "QUXREF": order.quote_id or "",
        "LINS": [_new_line(line) for line in order.lines],
    }


def write_change(change: ErpOrderChange) -> dict[str, Any]:
    """Return what changes lines of an order and adds others."""
    return {
        "KEY": change.key,
        "ORXREF": change.order_id,
        "LINS": [
            {
                "LINNO": line.line_no,
                "ORDQT": implied(line.quantity, QUANTITY),
                "UNPRC": implied(line.unit_price.amount, UNIT_PRICE),
                "REQDT": date_number(line.requested_date),
            }
            for line in change.lines
        ]
        + [_new_line(line) for line in change.added],
    }


def _new_line(line: NewErpLine) -> dict[str, Any]:
    return {
        "LINNO": line.line_no,
        "ITMNO": line.sku,
        "ITDSC": line.description[:DESCRIPTION_CHARS],
        "ORDQT": implied(line.quantity.value, QUANTITY),
        "UOM": line.quantity.uom,
        "UNPRC": implied(line.unit_price.amount, UNIT_PRICE),
        "REQDT": date_number(line.requested_date),
        "WHSCD": line.warehouse_code or "",
    }
