"""Returns that the warehouse expects: they arrive and are inspected as time passes, unless they are cancelled."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.kit.due import DueWork
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, from_milli, to_milli, utc_text
from sandbox.wms.floor import MAX_LINES, Floor

__all__ = ["Receipts"]

ARRIVES_AFTER = timedelta(days=2)
"""From the announcement of a return to its arrival."""

INSPECTED_AFTER = timedelta(hours=4)
"""From its arrival to the end of its inspection."""

_TEXTS = ("externalKey", "rmaNumber", "orderRef", "accountRef", "warehouse")
_SCRAPPED = ("DAMAGED", "DEFECTIVE")
"""Reasons for which goods are not sold again; the others go back on the shelf."""


class Receipts:
    """Expected returns of one sandbox."""

    def __init__(self, host: Host, floor: Floor) -> None:
        self._host = host
        self._store = host.store
        self._floor = floor
        self._due = DueWork(host.clock, self._step)

    def expect(self, body: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        """Expect a return; return (whether it is new, the return). The same key announces once.

        Raises:
            Refusal: the request is malformed, the warehouse unknown, or the key announced something else.
        """
        content = json.dumps(body, sort_keys=True)
        for name in _TEXTS:
            if not isinstance(body.get(name), str) or not body[name]:
                raise Refusal(422, "MISSING_FIELD", f"{name} is required")
        lines = _lines(body.get("lines"))
        with self._store.transaction():
            known = self._store.one("SELECT * FROM receipts WHERE external_key = ?", (body["externalKey"],))
            if known is not None:
                if known["content"] != content:
                    raise Refusal(409, "KEY_REUSED", f"key {body['externalKey']} announced something else before")
                return False, _told(known)
            if self._store.one("SELECT 1 FROM warehouses WHERE code = ?", (body["warehouse"],)) is None:
                raise Refusal(422, "UNKNOWN_WAREHOUSE", f"there is no warehouse {body['warehouse']}")
            due = utc_text(self._host.clock.now() + ARRIVES_AFTER)
            self._store.execute(
                "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, 'EXPECTED', 1, ?)",
                (*(body[name] for name in _TEXTS), content, json.dumps(lines), due),
            )
            self._due.wake()
            return True, _told(self._row(body["externalKey"]))

    def cancel(self, external_key: str) -> None:
        """Expect a return no more; cancelling twice changes nothing.

        Raises:
            Refusal: nothing was announced under the key, or it has arrived already.
        """
        with self._store.transaction():
            row = self._row(external_key)
            if row["state"] not in ("EXPECTED", "CANCELLED"):
                raise Refusal(409, "RECEIVED", "the goods have arrived already")
            sql = "UPDATE receipts SET state = 'CANCELLED', next_at = NULL WHERE external_key = ?"
            self._store.execute(sql, (external_key,))

    async def work(self) -> None:
        """Receive and inspect returns as they fall due, until cancelled."""
        await self._due.run()

    def _row(self, external_key: str) -> sqlite3.Row:
        row = self._store.one("SELECT * FROM receipts WHERE external_key = ?", (external_key,))
        if row is None:
            raise Refusal(404, "UNKNOWN_RETURN", f"no return was announced under key {external_key}")
        return row

    def _step(self, now: datetime) -> datetime | None:
        earliest = "SELECT * FROM receipts WHERE next_at IS NOT NULL ORDER BY next_at, external_key LIMIT 1"
        with self._store.transaction():
            row = self._store.one(earliest)
            if row is not None and datetime.fromisoformat(row["next_at"]) <= now:
                self._advance(row, datetime.fromisoformat(row["next_at"]))
                row = self._store.one(earliest)
        return None if row is None else datetime.fromisoformat(row["next_at"])

    def _advance(self, row: sqlite3.Row, at: datetime) -> None:
        arrives = row["state"] == "EXPECTED"
        state, next_at = ("RECEIVED", utc_text(at + INSPECTED_AFTER)) if arrives else ("INSPECTED", None)
        lines = json.loads(row["lines"])
        if not arrives:
            for line in lines:
                line["disposition"] = "SCRAP" if line["reason"].upper() in _SCRAPPED else "RESTOCK"
                if line["disposition"] == "RESTOCK":
                    self._floor.move(line["sku"], row["warehouse"], line["quantity"], 0, at)
        self._store.execute(
            "UPDATE receipts SET state = ?, lines = ?, sequence = sequence + 1, next_at = ? WHERE external_key = ?",
            (state, json.dumps(lines), next_at, row["external_key"]),
        )
        changed = self._row(row["external_key"])
        body = {"occurredAt": utc_text(at), "sequence": changed["sequence"], "return": _told(changed)}
        self._host.webhooks.send(f"return.{state.lower()}", body, key=f"{row['external_key']}:{changed['sequence']}")


def _told(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "externalKey": row["external_key"],
        "rmaNumber": row["rma"],
        "orderRef": row["order_ref"],
        "accountRef": row["account_ref"],
        "warehouse": row["warehouse"],
        "state": row["state"],
        "lines": [line | {"quantity": from_milli(line["quantity"])} for line in json.loads(row["lines"])],
    }


def _lines(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_LINES:
        raise Refusal(422, "BAD_LINES", f"give 1 to {MAX_LINES} lines")
    lines = []
    for line in given:
        is_line = isinstance(line, dict) and isinstance(line.get("lineNo"), int)
        if not is_line or not all(isinstance(line.get(name), str) for name in ("sku", "uom", "reason")):
            raise Refusal(422, "BAD_LINES", "a line has lineNo, sku, quantity, uom and reason")
        texts = {name: line[name] for name in ("lineNo", "sku", "uom", "reason")}
        lines.append(texts | {"quantity": to_milli(line.get("quantity")), "disposition": None})
    return lines
