"""Posted invoices that were wrong: credited by a memo, and what is owed billed anew, each once per key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sandbox.erp_book.codes import INVOICE_STATUS, BadField, ErpError
from sandbox.erp_book.order_entry import (
    MAX_LINES,
    PRICE_DECIMALS,
    QUANTITY_DECIMALS,
    net_amount,
    read_amount,
    read_key,
)
from sandbox.erp_book.posting import Bill, write_invoice
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, decimal_text

__all__ = ["InvoiceCorrections"]

STANDS, CREDITED = INVOICE_STATUS["POSTED"], INVOICE_STATUS["CREDITED"]

_AMOUNT_DECIMALS = 3
"""Decimals of amounts; no currency has more."""


class InvoiceCorrections:
    """Corrections in one sandbox. Methods belong into a transaction."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._clock = host.clock

    def act(self, invoice_id: str, action: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Correct an invoice; what was done under the same key is not done again.

        Raises:
            Refusal: there is no such posted invoice or action, or its state does not allow it.
        """
        row = self._store.one("SELECT * FROM posted_invoices WHERE id = ?", (invoice_id,))
        if row is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The posted invoice {invoice_id} does not exist")
        key = read_key(body)
        match action:
            case "credit":
                return {"number": self._credit(row, key)}
            case "takeCreditBack":
                self._take_back(row, key)
                return None
            case "billAnew":
                return {"number": self._bill_anew(row, key, body)}
        raise Refusal(404, ErpError.NOT_FOUND, f"There is no action {action}")

    def _credit(self, row: sqlite3.Row, key: str) -> str:
        known = self._store.one("SELECT number FROM credit_memos WHERE key = ?", (key,))
        if known is not None:
            return str(known["number"])
        if row["status"] != STANDS or Decimal(row["remainingAmount"]) != Decimal(row["totalAmountIncludingTax"]):
            message = f"The invoice {row['number']} is {row['status']} and {row['remainingAmount']} of it are open"
            raise Refusal(400, ErpError.INVOICE_STATE, message)
        number = f"SC-{row['number'].removeprefix('SI-')}"
        self._store.execute("INSERT INTO credit_memos VALUES (?, ?, ?)", (key, number, row["number"]))
        self._set(row, CREDITED, "0")
        self._count(row, -1)
        return number

    def _take_back(self, row: sqlite3.Row, key: str) -> None:
        sql = "SELECT 1 FROM credit_memos WHERE key = ? AND invoiceNumber = ?"
        if self._store.one(sql, (key, row["number"])) is not None:
            self._store.execute("DELETE FROM credit_memos WHERE key = ?", (key,))
            self._set(row, STANDS, row["totalAmountIncludingTax"])
            self._count(row, 1)

    def _bill_anew(self, row: sqlite3.Row, key: str, body: Mapping[str, Any]) -> str:
        known = self._store.one("SELECT invoiceNumber FROM rebillings WHERE key = ?", (key,))
        if known is not None:
            return str(known["invoiceNumber"])
        if row["status"] != CREDITED:
            message = f"The invoice {row['number']} is {row['status']}, not {CREDITED}"
            raise Refusal(400, ErpError.INVOICE_STATE, message)
        order = self._store.one("SELECT * FROM orders WHERE orderId = ?", (row["orderId"],))
        if order is None:
            raise RuntimeError(f"invoice {row['number']} has lost its order")
        lines = self._billed(order, body.get("lines"))
        tax, freight = (_amount(body, name) for name in ("taxAmount", "freight"))
        net = sum((line["netAmount"] for line in lines), Decimal(0))
        made = write_invoice(self._store, dict(order), Bill(lines, net, tax, freight), self._clock.now())
        self._store.execute("INSERT INTO rebillings VALUES (?, ?, ?)", (str(uuid4()), key, made))
        return made

    def _billed(self, order: sqlite3.Row, given: object) -> list[dict[str, Any]]:
        if not isinstance(given, list) or not 0 < len(given) <= MAX_LINES:
            raise BadField(ErpError.LINES, f"An invoice has 1 to {MAX_LINES} lines", "lines")
        billed = []
        for place, line in enumerate(given):
            target = f"lines/{place}"
            if not isinstance(line, Mapping):
                raise BadField(ErpError.LINES, "A line must be an object", target)
            sql = "SELECT * FROM order_lines WHERE documentId = ? AND sequence = ?"
            sold = self._store.one(sql, (order["id"], line.get("sequence")))
            if sold is None:
                raise BadField(ErpError.LINES, f"The order {order['number']} has no such line", target)
            quantity = read_amount(line, "quantity", QUANTITY_DECIMALS)
            price = read_amount(line, "unitPrice", PRICE_DECIMALS)
            left = Decimal(sold["shipped"]) - Decimal(sold["invoiced"])
            if quantity is None or not 0 < quantity <= left:
                message = f"{decimal_text(left)} of line {sold['sequence']} are shipped and not invoiced"
                raise BadField(ErpError.QUANTITY, message, f"{target}/quantity")
            if price is None:
                message = f"unitPrice must be an amount with at most {PRICE_DECIMALS} decimals"
                raise BadField(ErpError.PRICE, message, f"{target}/unitPrice")
            self._invoice(sold, quantity)
            net = Decimal(net_amount(quantity, price))
            billed.append({"sequence": sold["sequence"], "quantity": quantity, "unitPrice": price, "netAmount": net})
        return billed

    def _set(self, row: sqlite3.Row, status: str, remaining: str) -> None:
        sql = "UPDATE invoices SET status = ?, remainingAmount = ? WHERE id = ?"
        self._store.execute(sql, (status, remaining, row["id"]))

    def _count(self, row: sqlite3.Row, sign: int) -> None:
        """Count what an invoice bills at the lines of its order, or count it no more."""
        for line in json.loads(row["lines"]):
            sql = (
                "SELECT l.* FROM order_lines l JOIN orders o ON o.id = l.documentId "
                "WHERE o.orderId = ? AND l.sequence = ?"
            )
            sold = self._store.one(sql, (row["orderId"], line["sequence"]))
            if sold is not None:
                self._invoice(sold, sign * Decimal(str(line["quantity"])))

    def _invoice(self, sold: sqlite3.Row, quantity: Decimal) -> None:
        invoiced = decimal_text(Decimal(sold["invoiced"]) + quantity)
        self._store.execute("UPDATE order_lines SET invoiced = ? WHERE id = ?", (invoiced, sold["id"]))


def _amount(body: Mapping[str, Any], name: str) -> Decimal:
    amount = read_amount(body, name, _AMOUNT_DECIMALS)
    if amount is None:
        raise BadField(ErpError.FIELD, f"{name} must be an amount with at most {_AMOUNT_DECIMALS} decimals", name)
    return amount
