"""Rows of the books as records with what belongs to them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sandbox.kit.rest import marks
from sandbox.kit.store import Store
from sandbox.legacy_erp.fields import Field, render
from sandbox.legacy_erp.layouts import (
    BILLED_LINE,
    CUSTOMER,
    EXCHANGE_RATE,
    INVOICE_HEAD,
    OPEN_VALUE,
    ORDER_HEAD,
    ORDER_LINE,
    POSTING,
    PRICE,
    PRICE_BREAK,
    PRICE_CHANGE,
    REBILLING,
    RETURN_HEAD,
    RETURN_LINE,
    SHIP_TO,
    TAX_REGISTRATION,
)
from sandbox.legacy_erp.words import PARTLY_PAID

__all__ = ["Record", "Row", "show"]

Record = dict[str, Any]
Row = sqlite3.Row

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_PLAIN: Mapping[str, Sequence[Field]] = {
    "exchange_rates": EXCHANGE_RATE,
    "open_order_values": OPEN_VALUE,
    "rebillings": REBILLING,
}


def show(store: Store, table: str, rows: Sequence[Row]) -> list[Record]:
    """Return the records of rows of a table, with their lists."""
    match table:
        case "customers":
            return [render(CUSTOMER, row) | {"TAXS": _list(TAX_REGISTRATION, row["taxRegistrations"])} for row in rows]
        case "ship_tos":
            return [render(SHIP_TO, row) | {"DLVDY": _mask(row["deliveryDays"])} for row in rows]
        case "prices":
            return [render(PRICE, row) | {"BRKS": _list(PRICE_BREAK, row["breaks"])} for row in rows]
        case "price_changes":
            return [render(PRICE_CHANGE, row) | _images(row) for row in rows]
        case "orders":
            lines = _lines(store, [row["id"] for row in rows])
            return [render(ORDER_HEAD, row) | {"LINS": lines[row["id"]]} for row in rows]
        case "invoices":
            return [render(INVOICE_HEAD, _invoice(row)) for row in rows]
        case "posted_invoices":
            return [render(POSTING, _invoice(row)) | {"LINS": _list(BILLED_LINE, row["lines"])} for row in rows]
        case "returns":
            return [render(RETURN_HEAD, row) | {"LINS": _list(RETURN_LINE, row["lines"])} for row in rows]
    return [render(_PLAIN[table], row) for row in rows]


def _list(layout: Sequence[Field], text: str) -> list[Record]:
    return [render(layout, entry) for entry in json.loads(text, parse_float=Decimal)]


def _images(row: Row) -> Record:
    """Return a price row before and after a change, each left out when there was none."""
    shown = {
        "BFR": json.loads(row["before"], parse_float=Decimal),
        "AFT": json.loads(row["after"], parse_float=Decimal),
    }
    return {
        name: render(PRICE, image) | {"BRKS": [render(PRICE_BREAK, step) for step in image["breaks"]]}
        for name, image in shown.items()
        if image is not None
    }


def _lines(store: Store, documents: Sequence[str]) -> Mapping[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    sql = f"SELECT * FROM order_lines WHERE documentId IN ({marks(documents)}) ORDER BY documentId, sequence"  # noqa: S608 - marks only
    for line in store.query(sql, documents):
        found[line["documentId"]].append(render(ORDER_LINE, line))
    return found


def _invoice(row: Row) -> Mapping[str, Any]:
    """Return an invoice with the word that these programs have for one that is partly paid."""
    is_partly_paid = row["status"] == "Open" and Decimal(row["remainingAmount"]) < Decimal(
        row["totalAmountIncludingTax"]
    )
    return dict(row) | ({"status": PARTLY_PAID} if is_partly_paid else {})


def _mask(text: str) -> str:
    days = json.loads(text)
    return "".join("Y" if day in days else "N" for day in _DAYS)
