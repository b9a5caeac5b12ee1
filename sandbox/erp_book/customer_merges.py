"""Merges of customers that are the same: what is open goes from one card to the other, once per key, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sandbox.erp_book.codes import CANCELLED, COMPLETED, INVOICE_STATUS, RETURN_STATUS, BadField, ErpError
from sandbox.erp_book.order_entry import read_key, read_text
from sandbox.erp_book.price_lines import PriceLines
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, utc_text

__all__ = ["CustomerMerges"]

MAX_CODE = 40
"""Longest code of a delivery place."""

_OWES = ("openReceivables", "overdue")
_ORDERS = ("orders", "id", "status", (COMPLETED, CANCELLED))
_INVOICES = ("invoices", "id", "status", tuple(INVOICE_STATUS[name] for name in ("PAID", "CREDITED", "VOID")))
_RETURNS = (
    "returns",
    "id",
    "status",
    tuple(RETURN_STATUS[name] for name in ("DENIED", "CREDITED", "REPLACED", "CLOSED", "CANCELLED")),
)
_DOCUMENTS = (_ORDERS, _INVOICES, _RETURNS)
_NUMBERED = ("orders", "invoices")
"""Documents that name the customer by its number too."""


class CustomerMerges:
    """Merges in one sandbox. Methods belong into a transaction."""

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._clock = host.clock
        self._prices = PriceLines(host)

    def act(self, customer_id: str, action: str, body: Mapping[str, Any]) -> None:
        """Merge a customer into another or take that back; what was done under the same key is not done again.

        Raises:
            Refusal: there is no such customer or action, or the two cannot be one.
        """
        row = self._store.one("SELECT * FROM customers WHERE id = ?", (customer_id,))
        if row is None:
            raise Refusal(404, ErpError.NO_RECORD, f"The customer {customer_id} does not exist")
        match action:
            case "mergeInto":
                self._merge(row, body)
            case "takeMergeBack":
                self._take_back(row, read_key(body))
            case _:
                raise Refusal(404, ErpError.NOT_FOUND, f"There is no action {action}")

    def _merge(self, duplicate: sqlite3.Row, body: Mapping[str, Any]) -> None:
        key, wanted = read_key(body), read_text(body, "accountId")
        known = self._store.one("SELECT duplicateId FROM customer_merges WHERE key = ?", (key,))
        if known is not None:
            if known["duplicateId"] != duplicate["id"]:
                raise Refusal(409, ErpError.KEY_USED, f"The key {key} has merged another customer")
            return
        survivor = self._store.one("SELECT * FROM customers WHERE crossdockId = ?", (wanted,))
        if survivor is None or survivor["id"] == duplicate["id"]:
            raise BadField(ErpError.CUSTOMER_UNKNOWN, f"There is no other customer {wanted}", "accountId")
        if survivor["currencyCode"] != duplicate["currencyCode"]:
            message = f"{survivor['number']} has another currency than {duplicate['number']}"
            raise BadField(ErpError.CURRENCY, message, "accountId")
        moved = {
            "blocked": duplicate["blocked"],
            "owes": {name: duplicate[name] for name in _OWES},
            "daysPastDue": [duplicate["maxDaysPastDue"], survivor["maxDaysPastDue"]],
            "places": self._codes(duplicate),
            "prices": self._prices.to_carry(duplicate["crossdockId"], survivor["crossdockId"]),
            **{table: self._open(duplicate, table, status, closed) for table, _, status, closed in _DOCUMENTS},
        }
        self._carry(moved, duplicate, survivor)
        self._owe(duplicate, survivor, moved["owes"])
        worst = max(duplicate["maxDaysPastDue"], survivor["maxDaysPastDue"])
        self._set(duplicate, blocked="All", maxDaysPastDue=0)
        self._set(survivor, maxDaysPastDue=worst)
        self._store.execute(
            "INSERT INTO customer_merges VALUES (?, ?, ?, ?)",
            (key, duplicate["id"], survivor["crossdockId"], json.dumps(moved)),
        )

    def _take_back(self, duplicate: sqlite3.Row, key: str) -> None:
        known = self._store.one("SELECT * FROM customer_merges WHERE key = ?", (key,))
        if known is None or known["duplicateId"] != duplicate["id"]:
            return
        survivor = self._store.one("SELECT * FROM customers WHERE crossdockId = ?", (known["survivorId"],))
        if survivor is None:
            raise RuntimeError(f"merge {key} has lost its surviving customer")
        moved = json.loads(known["moved"])
        self._carry(moved, survivor, duplicate)
        for place_id, code in moved["places"].items():
            self._store.execute("UPDATE ship_tos SET code = ? WHERE id = ?", (code, place_id))
        self._owe(survivor, duplicate, moved["owes"])
        mine, theirs = moved["daysPastDue"]
        self._set(duplicate, blocked=moved["blocked"], maxDaysPastDue=mine)
        self._set(survivor, maxDaysPastDue=theirs)
        self._store.execute("DELETE FROM customer_merges WHERE key = ?", (key,))

    def _codes(self, customer: sqlite3.Row) -> dict[str, str]:
        sql = "SELECT id, code FROM ship_tos WHERE accountId = ?"
        return {row["id"]: row["code"] for row in self._store.query(sql, (customer["crossdockId"],))}

    def _open(self, customer: sqlite3.Row, table: str, status: str, closed: Sequence[str]) -> list[str]:
        marks = ", ".join("?" for _ in closed)
        sql = f"SELECT id FROM {table} WHERE accountId = ? AND {status} NOT IN ({marks})"  # noqa: S608 - names are ours
        return [row["id"] for row in self._store.query(sql, (customer["crossdockId"], *closed))]

    def _carry(self, moved: Mapping[str, Any], source: sqlite3.Row, target: sqlite3.Row) -> None:
        """Give what is listed to a customer; a delivery place whose code that one has gets the former number to it."""
        account, number = target["crossdockId"], target["number"]
        for table, *_ in _DOCUMENTS:
            named = ", customerNumber = :number" if table in _NUMBERED else ""
            for document in moved[table]:
                self._store.execute(
                    f"UPDATE {table} SET accountId = :account{named} WHERE id = :id",  # noqa: S608 - names are ours
                    {"account": account, "number": number, "id": document},
                )
        now = utc_text(self._clock.now())
        for document in moved["orders"]:
            sql = "UPDATE orders SET version = version + 1, lastModifiedDateTime = ? WHERE id = ?"
            self._store.execute(sql, (now, document))
        self._prices.give(moved["prices"], account)
        taken = set(self._codes(target).values())
        for place_id, code in moved["places"].items():
            ours = f"{code}-{source['number']}"[:MAX_CODE] if code in taken else code
            sql = "UPDATE ship_tos SET accountId = ?, code = ? WHERE id = ?"
            self._store.execute(sql, (account, ours, place_id))

    def _owe(self, source: sqlite3.Row, target: sqlite3.Row, amounts: Mapping[str, str]) -> None:
        for customer, sign in ((source, -1), (target, 1)):
            owes = {name: Decimal(customer[name]) + sign * Decimal(owed) for name, owed in amounts.items()}
            self._set(customer, **{name: format(amount, "f") for name, amount in owes.items()})

    def _set(self, customer: sqlite3.Row, **values: Any) -> None:
        columns = "".join(f"{name} = :{name}, " for name in values)
        self._store.execute(
            f"UPDATE customers SET {columns}version = version + 1, lastModifiedDateTime = :now WHERE id = :id",  # noqa: S608 - names are ours
            {**values, "now": utc_text(self._clock.now()), "id": customer["id"]},
        )
