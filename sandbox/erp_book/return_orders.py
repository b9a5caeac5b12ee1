"""Return orders: created, cancelled, received, and credited or replaced, each once per key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

from sandbox.erp_book.allocation import units_of
from sandbox.erp_book.codes import RETURN_STATUS, BadField, ErpError
from sandbox.erp_book.order_entry import MAX_LINES, QUANTITY_DECIMALS, read_amount, read_key, read_text
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, utc_text

__all__ = ["ReturnOrders"]

RELEASED, INSPECTED = RETURN_STATUS["APPROVED"], RETURN_STATUS["INSPECTED"]
CREDITED, REPLACED, CANCELLED = RETURN_STATUS["CREDITED"], RETURN_STATUS["REPLACED"], RETURN_STATUS["CANCELLED"]

_CENT = Decimal("0.01")


class ReturnOrders:
    """Return orders of one sandbox. Methods belong into a transaction."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._clock = host.clock

    def create(self, body: Mapping[str, Any]) -> str:
        """Create a released return order and return its id.

        Raises:
            Refusal: a field is missing or wrong, order or line is unknown, or key or number was used before.
        """
        key, number = read_key(body), read_text(body, "number")
        if number is None:
            raise BadField(ErpError.NOT_PROVIDED, "number is required", "number")
        for table, column, value in (("return_keys", "key", key), ("returns", "number", number)):
            if self._store.one(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)) is not None:  # noqa: S608 - names are ours
                raise BadField(ErpError.SAME_KEY, f"A return order with {column} {value} exists already", column)
        order = self._store.one("SELECT * FROM orders WHERE orderId = ?", (read_text(body, "orderId"),))
        if order is None:
            raise BadField(ErpError.FIELD, f"The sales order {body.get('orderId')} does not exist", "orderId")
        lines = self._lines(order, body.get("lines"))
        made = str(uuid4())
        self._store.execute(
            "INSERT INTO returns VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)",
            (
                *(made, number, order["accountId"], order["orderId"], RELEASED, order["currencyCode"]),
                *(json.dumps(lines), utc_text(self._clock.now())),
            ),
        )
        self._store.execute("INSERT INTO return_keys VALUES (?, ?)", (key, made))
        return made

    def act(self, return_id: str, action: str, body: Mapping[str, Any]) -> None:
        """Do something with a return order; what was done under the same key is not done again.

        Raises:
            Refusal: there is no such return order or action, or its state does not allow it.
        """
        row = self._store.one("SELECT * FROM returns WHERE id = ?", (return_id,))
        if row is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The return order {return_id} does not exist")
        if action == "cancel":
            self._cancel(row)
            return
        does: Mapping[str, Callable[[sqlite3.Row, Mapping[str, Any]], None]] = {
            "receive": self._receive,
            "credit": self._credit,
            "replace": self._replace,
        }
        if action not in does:
            raise Refusal(404, ErpError.NOT_FOUND, f"There is no action {action}")
        key = read_key(body)
        if self._store.one("SELECT 1 FROM return_keys WHERE key = ?", (key,)) is None:
            does[action](row, body)
            self._store.execute("INSERT INTO return_keys VALUES (?, ?)", (key, return_id))

    def _cancel(self, row: sqlite3.Row) -> None:
        if row["status"] != CANCELLED:
            _check_state(row, RELEASED)
            self._store.execute("UPDATE returns SET status = ? WHERE id = ?", (CANCELLED, row["id"]))

    def _receive(self, row: sqlite3.Row, body: Mapping[str, Any]) -> None:
        _check_state(row, RELEASED)
        given = body.get("lines")
        came = {line.get("sequence"): line for line in given if isinstance(line, Mapping)} if given else {}
        lines = json.loads(row["lines"])
        for place, line in enumerate(lines):
            told = came.get(line["sequence"], {"quantity": 0})
            quantity = read_amount(told, "quantity", QUANTITY_DECIMALS)
            if quantity is None:
                raise BadField(ErpError.QUANTITY, "quantity must be from zero on", f"lines/{place}/quantity")
            line.update(quantity=_number(quantity), disposition=read_text(told, "disposition"))
        self._store.execute(
            "UPDATE returns SET status = ?, lines = ? WHERE id = ?", (INSPECTED, json.dumps(lines), row["id"])
        )

    def _credit(self, row: sqlite3.Row, _: Mapping[str, Any]) -> None:
        _check_state(row, INSPECTED)
        self._store.execute(
            "UPDATE returns SET status = ?, creditAmount = ? WHERE id = ?",
            (CREDITED, format(self._value(row), "f"), row["id"]),
        )

    def _replace(self, row: sqlite3.Row, _: Mapping[str, Any]) -> None:
        _check_state(row, INSPECTED)
        self._store.execute("UPDATE returns SET status = ? WHERE id = ?", (REPLACED, row["id"]))

    def _value(self, row: sqlite3.Row) -> Decimal:
        """Return what came back at the prices of the order, with its share of the order's tax."""
        order = self._store.one("SELECT * FROM orders WHERE orderId = ?", (row["orderId"],))
        if order is None:
            raise RuntimeError(f"return order {row['number']} has lost its order")
        net = Decimal(0)
        for line in json.loads(row["lines"]):
            sold = self._sold(order, line["sequence"])
            if sold is not None:
                units = units_of(self._store, sold["lineObjectNumber"])
                factor = units[line["unitOfMeasureCode"]] / units[sold["unitOfMeasureCode"]]
                net += (Decimal(str(line["quantity"])) * factor * Decimal(sold["unitPrice"])).quantize(
                    _CENT, ROUND_HALF_UP
                )
        whole = Decimal(order["totalAmountExcludingTax"])
        share = net / whole if whole else Decimal(0)
        return net + (Decimal(order["totalTaxAmount"]) * share).quantize(_CENT, ROUND_HALF_UP)

    def _lines(self, order: sqlite3.Row, given: object) -> list[dict[str, Any]]:
        if not isinstance(given, list) or not 0 < len(given) <= MAX_LINES:
            raise BadField(ErpError.LINES, f"A return order has 1 to {MAX_LINES} lines", "lines")
        lines = []
        for place, line in enumerate(given):
            target = f"lines/{place}"
            sold = self._sold(order, line.get("sequence")) if isinstance(line, Mapping) else None
            if sold is None or not isinstance(line, Mapping):
                raise BadField(ErpError.LINES, f"The order {order['number']} has no such line", target)
            quantity = read_amount(line, "quantity", QUANTITY_DECIMALS)
            if quantity is None or quantity == 0:
                raise BadField(ErpError.QUANTITY, "quantity must be above zero", f"{target}/quantity")
            uom = read_text(line, "unitOfMeasureCode") or sold["unitOfMeasureCode"]
            if uom not in units_of(self._store, sold["lineObjectNumber"]):
                message = f"The item {sold['lineObjectNumber']} has no unit {uom}"
                raise BadField(ErpError.UNIT, message, f"{target}/unitOfMeasureCode")
            lines.append(
                {
                    "sequence": sold["sequence"],
                    "itemNumber": sold["lineObjectNumber"],
                    "quantity": _number(quantity),
                    "unitOfMeasureCode": uom,
                    "reason": read_text(line, "reason") or "",
                    "disposition": None,
                }
            )
        return lines

    def _sold(self, order: sqlite3.Row, sequence: object) -> sqlite3.Row | None:
        sql = "SELECT * FROM order_lines WHERE documentId = ? AND sequence = ?"
        return self._store.one(sql, (order["id"], sequence))


def _check_state(row: sqlite3.Row, wanted: str) -> None:
    if row["status"] != wanted:
        message = f"The return order {row['number']} is {row['status']}, not {wanted}"
        raise Refusal(400, ErpError.RETURN_STATE, message)


def _number(quantity: Decimal) -> int | float:
    """Return a quantity as JSON writes it; three decimals keep all of their digits as a float."""
    return int(quantity) if quantity == int(quantity) else float(quantity)
