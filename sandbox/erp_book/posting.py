"""What the ERP does by itself: it books what was allocated as shipped and invoiced, and closes what is done.

After its allocation an order is posted once: a shipment and an invoice of what was set aside. What is backordered stays
open. An order of which nothing is left open is completed some days later.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import orjson

from sandbox.erp_book.codes import COMPLETED, OPEN
from sandbox.erp_book.numbers import next_number
from sandbox.kit.rest import decimal_text, utc_text
from sandbox.kit.store import Store

__all__ = ["Bill", "post_due", "write_invoice"]

CLOSE_AFTER = timedelta(days=10)
"""When an order of which nothing is left open is completed: its goods are there by then."""

TERMS_DAYS = 30
"""Days until an invoice is due."""

_CENT = Decimal("0.01")


def post_due(store: Store, now: datetime) -> datetime | None:
    """Do the earliest step that is due, and return when the next one is, None when none is planned."""
    with store.transaction():
        due = store.one("SELECT * FROM allocations WHERE next IS NOT NULL ORDER BY nextAt LIMIT 1")
        if due is not None and datetime.fromisoformat(due["nextAt"]) <= now:
            at = datetime.fromisoformat(due["nextAt"])
            if due["next"] == "CLOSE":
                _close(store, due["documentId"], at)
            closes = at + CLOSE_AFTER if due["next"] == "POST" and _post(store, due, at) else None
            store.execute(
                "UPDATE allocations SET next = ?, nextAt = ? WHERE key = ?",
                ("CLOSE" if closes else None, closes and utc_text(closes), due["key"]),
            )
            due = store.one("SELECT nextAt FROM allocations WHERE next IS NOT NULL ORDER BY nextAt LIMIT 1")
    return None if due is None else datetime.fromisoformat(due["nextAt"])


def _post(store: Store, due: sqlite3.Row, at: datetime) -> bool:
    """Book a shipment and an invoice of what the allocation set aside; False when there is nothing to book."""
    order = store.one("SELECT * FROM orders WHERE id = ?", (due["documentId"],))
    set_aside = {entry["sequence"]: Decimal(entry["allocated"]) for entry in json.loads(due["result"])}
    if order is None or order["status"] != OPEN or not any(set_aside.values()):
        return False
    lines = store.query("SELECT * FROM order_lines WHERE documentId = ? ORDER BY sequence", (order["id"],))
    billed = []
    for line in lines:
        gone = min(set_aside.get(line["sequence"], Decimal(0)), Decimal(line["allocated"]))
        if gone:
            billed.append(_billed(line, gone))
        store.execute(
            "UPDATE order_lines SET allocated = ?, shipped = ?, invoiced = ? WHERE id = ?",
            (
                decimal_text(Decimal(line["allocated"]) - gone),
                decimal_text(Decimal(line["shipped"]) + gone),
                decimal_text(Decimal(line["invoiced"]) + gone),
                line["id"],
            ),
        )
    if not billed:
        return False
    _write_documents(store, dict(order), _bill(dict(order), lines, billed), at)
    _touch(store, order["id"], at)
    return True


@dataclass(frozen=True, slots=True)
class Bill:
    """What is invoiced: tax in proportion, freight with the first invoice."""

    lines: Sequence[Mapping[str, Any]]
    net: Decimal
    tax: Decimal
    freight: Decimal


def _billed(line: sqlite3.Row, quantity: Decimal) -> dict[str, Any]:
    net = (quantity * Decimal(line["unitPrice"])).quantize(_CENT, ROUND_HALF_UP)
    return {
        "sequence": line["sequence"],
        "quantity": quantity,
        "unitPrice": Decimal(line["unitPrice"]),
        "netAmount": net,
    }


def _bill(order: Mapping[str, Any], lines: Sequence[sqlite3.Row], billed: Sequence[Mapping[str, Any]]) -> Bill:
    net = sum((line["netAmount"] for line in billed), Decimal(0))
    whole = Decimal(order["totalAmountExcludingTax"])
    share = net / whole if whole else Decimal(1)
    tax = (Decimal(order["totalTaxAmount"]) * share).quantize(_CENT, ROUND_HALF_UP)
    is_first = all(Decimal(line["invoiced"]) == 0 for line in lines)
    return Bill(billed, net, tax, Decimal(order["freight"]) if is_first else Decimal(0))


def _write_documents(store: Store, order: Mapping[str, Any], bill: Bill, at: datetime) -> None:
    number = write_invoice(store, order, bill, at)
    store.execute(
        "INSERT INTO posted_shipments VALUES (?, ?, ?, ?, ?, ?)",
        (
            *(str(uuid4()), f"SS-{number.removeprefix('SI-')}", order["externalDocumentNumber"], order["number"]),
            *(order["customerNumber"], at.date().isoformat()),
        ),
    )


def write_invoice(store: Store, order: Mapping[str, Any], bill: Bill, at: datetime) -> str:
    """Post an invoice of an order and return its number."""
    place = next_number(store, "invoice")
    amount = format(bill.net + bill.tax + bill.freight, "f")
    store.execute(
        "INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, 'Open', ?, ?, ?, ?, ?, ?)",
        (
            *(str(uuid4()), f"SI-{place}", order["accountId"], order["orderId"], order["number"]),
            *(order["customerNumber"], order["externalDocumentNumber"], utc_text(at), at.date().isoformat()),
            *(_due(at.date()), order["currencyCode"], amount, amount),
        ),
    )
    lines = [{name: _json_number(value) for name, value in line.items()} for line in bill.lines]
    store.execute(
        "INSERT INTO invoice_postings (invoiceNumber, taxAmount, freight, lines) VALUES (?, ?, ?, ?)",
        (f"SI-{place}", format(bill.tax, "f"), format(bill.freight, "f"), orjson.dumps(lines).decode()),
    )
    return f"SI-{place}"


def _json_number(value: int | Decimal) -> int | orjson.Fragment:
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else value


def _due(day: date) -> str:
    return (day + timedelta(days=TERMS_DAYS)).isoformat()


def _close(store: Store, document_id: str, at: datetime) -> None:
    lines = store.query("SELECT quantity, invoiced, cancelled FROM order_lines WHERE documentId = ?", (document_id,))
    if all(Decimal(line["quantity"]) <= Decimal(line["invoiced"]) + Decimal(line["cancelled"]) for line in lines):
        store.execute(
            "UPDATE orders SET status = ?, completedAt = ? WHERE id = ? AND status = ?",
            (COMPLETED, utc_text(at), document_id, OPEN),
        )
        _touch(store, document_id, at)


def _touch(store: Store, document_id: str, at: datetime) -> None:
    store.execute(
        "UPDATE orders SET version = version + 1, lastModifiedDateTime = ? WHERE id = ?", (utc_text(at), document_id)
    )
