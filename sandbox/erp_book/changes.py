"""Changes of the lines of open orders, once per key: quantity, price and date, and lines that are added."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.erp_book.allocation import withdraw
from sandbox.erp_book.codes import OPEN, BadField, ErpError
from sandbox.erp_book.documents import check_version
from sandbox.erp_book.order_entry import (
    MAX_LINES,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    net_amount,
    read_amount,
    read_date,
    read_key,
    read_line,
    totals,
)
from sandbox.kit.rest import Refusal, decimal_text, utc_text
from sandbox.kit.store import Store

__all__ = ["change_lines"]


def change_lines(store: Store, document_id: str, body: Mapping[str, Any], version: int | None, now: datetime) -> None:
    """Change lines of an order that has this version, and give back what was set aside for them.

    A quantity of zero cancels a line; one with an item (``lineObjectNumber``) is added. A key that was used changes
    nothing, whatever the version.

    Raises:
        Refusal: there is no such order or line, the order is not open or has changed since it was read, a value is
            wrong, less than was shipped is wanted, or the key has changed another order.
    """
    key, lines = read_key(body), body.get("lines")
    if not isinstance(lines, list) or not 0 < len(lines) <= MAX_LINES:
        raise BadField(ErpError.LINES, f"A change has 1 to {MAX_LINES} lines", "lines")
    with store.transaction():
        known = store.one("SELECT documentId FROM order_changes WHERE key = ?", (key,))
        if known is not None:
            if known["documentId"] != document_id:
                raise Refusal(409, ErpError.KEY_USED, f"The key {key} has changed another order")
            return
        order = store.one("SELECT * FROM orders WHERE id = ?", (document_id,))
        if order is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The sales order {document_id} does not exist")
        check_version(dict(order), version)
        if order["status"] != OPEN:
            raise Refusal(400, ErpError.NOT_OPEN, f"The order {order['number']} is {order['status']}, not {OPEN}")
        for place, line in enumerate(lines):
            if isinstance(line, Mapping) and line.get("lineObjectNumber"):
                _add_line(store, order, place, line)
            else:
                _change_line(store, order, line, f"lines/{place}")
        _write_totals(store, order, now)
        store.execute("INSERT INTO order_changes VALUES (?, ?)", (key, document_id))


def _change_line(store: Store, order: sqlite3.Row, line: object, target: str) -> None:
    if not isinstance(line, Mapping):
        raise BadField(ErpError.LINES, "A line must be an object", target)
    row = store.one(
        "SELECT * FROM order_lines WHERE documentId = ? AND sequence = ?", (order["id"], line.get("sequence"))
    )
    if row is None:
        raise BadField(ErpError.LINES, f"The order {order['number']} has no line {line.get('sequence')}", target)
    quantity, price = read_amount(line, "quantity", QUANTITY_DECIMALS), read_amount(line, "unitPrice", PRICE_DECIMALS)
    if quantity is None:
        message = f"quantity must be from zero on with at most {QUANTITY_DECIMALS} decimals"
        raise BadField(ErpError.QUANTITY, message, f"{target}/quantity")
    if price is None:
        message = f"unitPrice must be an amount with at most {PRICE_DECIMALS} decimals"
        raise BadField(ErpError.PRICE, message, f"{target}/unitPrice")
    if quantity < Decimal(row["shipped"]):
        message = f"{row['shipped']} of line {row['sequence']} are shipped already"
        raise BadField(ErpError.SHIPPED, message, f"{target}/quantity")
    withdraw(store, row)
    store.execute(
        "UPDATE order_lines SET quantity = ?, cancelled = ?, unitPrice = ?, netAmount = ?, promisedDeliveryDate = ? "
        "WHERE id = ?",
        (
            decimal_text(quantity) if quantity else row["quantity"],
            "0" if quantity else row["quantity"],
            format(price, "f"),
            net_amount(quantity, price),
            read_date(line, "requestedDeliveryDate") or row["promisedDeliveryDate"],
            row["id"],
        ),
    )


def _add_line(store: Store, order: sqlite3.Row, place: int, line: Mapping[str, Any]) -> None:
    """Add a line, in the place of one with its number that is cancelled as a whole."""
    row = read_line(store, dict(order), place, line)
    same = (order["id"], row["sequence"])
    known = store.one("SELECT * FROM order_lines WHERE documentId = ? AND sequence = ?", same)
    if known is not None and known["cancelled"] != known["quantity"]:
        message = f"The order {order['number']} has a line {row['sequence']} already"
        raise BadField(ErpError.LINES, message, f"lines/{place}/sequence")
    store.execute("DELETE FROM order_lines WHERE documentId = ? AND sequence = ?", same)
    names = ", ".join(f":{name}" for name in row)
    store.execute(f"INSERT INTO order_lines ({', '.join(row)}) VALUES ({names})", row)  # noqa: S608 - names are ours


def _write_totals(store: Store, order: sqlite3.Row, now: datetime) -> None:
    lines = [dict(row) for row in store.query("SELECT * FROM order_lines WHERE documentId = ?", (order["id"],))]
    found = totals(order["currencyCode"], lines)
    store.execute(
        "UPDATE orders SET totalAmountExcludingTax = ?, totalTaxAmount = ?, freight = ?, totalAmountIncludingTax = ?, "
        "version = version + 1, lastModifiedDateTime = ? WHERE id = ?",
        (*found.values(), utc_text(now), order["id"]),
    )
