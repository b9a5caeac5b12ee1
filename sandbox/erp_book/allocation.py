"""Firm stock: set aside for an order once per key, and given back.

Stock is counted in thousandths of the base unit. Each line takes what is free where it ships from within one
transaction, so what is free never falls below zero however many orders ask at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sandbox.erp_book.codes import OPEN, ErpError
from sandbox.kit.rest import Refusal, decimal_text, utc_text
from sandbox.kit.store import Store

__all__ = ["POST_AFTER", "allocate", "deallocate", "give_back", "units_of", "withdraw"]

DOCK_DAYS = 1
"""Days between the arrival of supply and its use."""

POST_AFTER = timedelta(hours=4)
"""When goods that were set aside are booked as shipped and invoiced."""


def allocate(store: Store, document_id: str, key: str, now: datetime) -> list[dict[str, Any]]:
    """Set stock aside for each line where it ships from, once per key; what is missing is backordered.

    Quantities of the result are texts.

    Raises:
        Refusal: there is no such order, it is not open, or the key was used for another one.
    """
    with store.transaction():
        known = store.one("SELECT documentId, result FROM allocations WHERE key = ?", (key,))
        if known is not None:
            if known["documentId"] != document_id:
                raise Refusal(409, ErpError.KEY_USED, f"The key {key} has allocated another order")
            found: list[dict[str, Any]] = json.loads(known["result"])
            return found
        _check_open(store, document_id)
        lines = store.query("SELECT * FROM order_lines WHERE documentId = ? ORDER BY sequence", (document_id,))
        result = [_allocate_line(store, line, now.date()) for line in lines]
        days = [entry["backorderDate"] if Decimal(entry["backordered"]) else entry["shipDate"] for entry in result]
        store.execute(
            "UPDATE orders SET promisedDeliveryDate = coalesce(?, promisedDeliveryDate), version = version + 1, "
            "lastModifiedDateTime = ? WHERE id = ?",
            (max(days) if all(days) else None, utc_text(now), document_id),
        )
        store.execute(
            "INSERT INTO allocations VALUES (?, ?, ?, 'POST', ?)",
            (key, document_id, json.dumps(result), utc_text(now + POST_AFTER)),
        )
        return result


def deallocate(store: Store, document_id: str, key: str, now: datetime) -> None:
    """Give back what the allocation of this key set aside and forget the key; nothing happens when there is none."""
    with store.transaction():
        known = store.one("SELECT result FROM allocations WHERE key = ? AND documentId = ?", (key, document_id))
        if known is None:
            return
        for entry in json.loads(known["result"]):
            line = store.one(
                "SELECT * FROM order_lines WHERE documentId = ? AND sequence = ?", (document_id, entry["sequence"])
            )
            if line is not None:
                held = Decimal(line["allocated"])
                back = min(Decimal(entry["allocated"]), held)
                give_back(store, line, back)
                store.execute(
                    "UPDATE order_lines SET allocated = ?, backordered = '0' WHERE id = ?",
                    (decimal_text(held - back), line["id"]),
                )
        store.execute("DELETE FROM allocations WHERE key = ?", (key,))
        store.execute(
            "UPDATE orders SET version = version + 1, lastModifiedDateTime = ? WHERE id = ?",
            (utc_text(now), document_id),
        )


def give_back(store: Store, line: sqlite3.Row, quantity: Decimal) -> None:
    """Make a quantity of a line, in its unit, free again."""
    if quantity:
        store.execute(
            "UPDATE stock SET free = free + ? WHERE sku = ? AND location = ?",
            (_milli(quantity * _per_base(store, line)), line["lineObjectNumber"], line["locationCode"]),
        )


def withdraw(store: Store, line: sqlite3.Row) -> None:
    """Give back all that is set aside for a line, so that no allocation books it any more."""
    give_back(store, line, Decimal(line["allocated"]))
    store.execute("UPDATE order_lines SET allocated = '0', backordered = '0' WHERE id = ?", (line["id"],))
    for row in store.query("SELECT key, result FROM allocations WHERE documentId = ?", (line["documentId"],)):
        result = [
            entry | {"allocated": "0"} if entry["sequence"] == line["sequence"] else entry
            for entry in json.loads(row["result"])
        ]
        store.execute("UPDATE allocations SET result = ? WHERE key = ?", (json.dumps(result), row["key"]))


def _check_open(store: Store, document_id: str) -> None:
    row = store.one("SELECT number, status FROM orders WHERE id = ?", (document_id,))
    if row is None:
        raise Refusal(404, ErpError.NO_RECORD, f"The sales order {document_id} does not exist")
    if row["status"] != OPEN:
        raise Refusal(400, ErpError.NOT_OPEN, f"The order {row['number']} is {row['status']}, not {OPEN}")


def _allocate_line(store: Store, line: sqlite3.Row, today: date) -> dict[str, Any]:
    sku, location = line["lineObjectNumber"], line["locationCode"]
    held = Decimal(line["allocated"])
    wanted = Decimal(line["quantity"]) - Decimal(line["cancelled"]) - Decimal(line["shipped"]) - held
    stock = store.one("SELECT free FROM stock WHERE sku = ? AND location = ?", (sku, location))
    taken = _fitting(wanted, Decimal(stock["free"] if stock else 0) / 1000, _per_base(store, line))
    if taken:
        store.execute(
            "UPDATE stock SET free = free - ? WHERE sku = ? AND location = ?",
            (_milli(taken * _per_base(store, line)), sku, location),
        )
    short = wanted - taken
    later = _supply_date(store, sku, location, today) if short else None
    ship_date = today.isoformat() if taken else None
    promised = ship_date if not short else later
    store.execute(
        "UPDATE order_lines SET allocated = ?, backordered = ?, shipDate = coalesce(?, shipDate), "
        "promisedDeliveryDate = coalesce(?, promisedDeliveryDate) WHERE id = ?",
        (decimal_text(held + taken), decimal_text(short), ship_date, promised, line["id"]),
    )
    return {
        "sequence": line["sequence"],
        "locationCode": location,
        "allocated": decimal_text(taken),
        "backordered": decimal_text(short),
        "shipDate": ship_date,
        "backorderDate": later,
    }


def _fitting(wanted: Decimal, free: Decimal, per_base: Decimal) -> Decimal:
    """Return how much of a quantity is free: single pieces as they are, packages only whole."""
    return min(wanted, free if per_base == 1 else free // per_base)


def _milli(quantity: Decimal) -> int:
    return int((quantity * 1000).to_integral_value(ROUND_CEILING))


def _supply_date(store: Store, sku: str, location: str | None, today: date) -> str | None:
    row = store.one(
        "SELECT min(expectedDate) AS day FROM supplies "
        "WHERE itemNumber = ? AND locationCode = ? AND confirmed = 1 AND expectedDate >= ?",
        (sku, location, today.isoformat()),
    )
    if row is None or row["day"] is None:
        return None
    return (date.fromisoformat(row["day"]) + timedelta(days=DOCK_DAYS)).isoformat()


def units_of(store: Store, sku: str) -> dict[str, Decimal]:
    """Return how many base units each unit of an item stands for."""
    item = store.one("SELECT units FROM items WHERE number = ?", (sku,))
    units = json.loads(item["units"], parse_float=Decimal) if item else []
    return {unit["code"]: Decimal(unit["perBase"]) for unit in units}


def _per_base(store: Store, line: Mapping[str, Any] | sqlite3.Row) -> Decimal:
    return units_of(store, line["lineObjectNumber"]).get(line["unitOfMeasureCode"], Decimal(1))
