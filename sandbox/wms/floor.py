"""What happens on the warehouse floor: releases take stock, shipments are picked, packed and shipped as time passes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, from_milli, to_milli, utc_text
from sandbox.world.identifiers import sscc

__all__ = ["Floor"]

MAX_LINES = 500
"""Lines of one release."""

FIRST_NUMBER = 990_001
FIRST_SSCC = 500_000
IDLE = timedelta(hours=1)
"""Longest simulated time between looks at what is due."""

_TEXTS = ("externalKey", "orderRef", "accountRef", "warehouse")


@dataclass(frozen=True, slots=True)
class _Progress:
    """A step of a shipment: its milestone, the webhook, what follows after which time."""

    code: str
    status: str
    event: str
    then: str | None
    after: timedelta


_STEPS: Mapping[str, _Progress] = {
    "PICKING": _Progress("PICKING", "PICKING", "shipment.picked", "PACKED", timedelta(minutes=40)),
    "PACKED": _Progress("PACKED", "PACKED", "shipment.packed", "SHIPPED", timedelta(minutes=30)),
    "SHIPPED": _Progress("SHIPPED", "DEPARTED", "shipment.shipped", None, timedelta()),
}
FIRST_STEP_AFTER = timedelta(minutes=20)
"""From release to the first pick."""


class Floor:
    """The floor of all warehouses of one sandbox."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._store = host.store
        self._due = asyncio.Event()

    def release(self, body: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        """Release an order for picking; return (whether it is new, the release). The same key releases once.

        Each line takes what is free of its stock, in one statement that cannot take more; the rest of it is short.

        Raises:
            Refusal: the request is malformed, the warehouse or an item unknown, or the key was used for something else.
        """
        content = json.dumps(body, sort_keys=True)
        for name in _TEXTS:
            if not isinstance(body.get(name), str) or not body[name]:
                raise Refusal(422, "MISSING_FIELD", f"{name} is required")
        lines = _lines(body.get("lines"))
        with self._store.transaction():
            known = self._store.one("SELECT * FROM releases WHERE external_key = ?", (body["externalKey"],))
            if known is not None:
                if known["content"] != content:
                    message = f"key {body['externalKey']} released something else before"
                    raise Refusal(409, "KEY_REUSED", message)
                return False, self._told(known)
            if self._store.one("SELECT 1 FROM warehouses WHERE code = ?", (body["warehouse"],)) is None:
                raise Refusal(422, "UNKNOWN_WAREHOUSE", f"there is no warehouse {body['warehouse']}")
            return True, self._release(body, lines, content)

    def _release(self, body: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], content: str) -> Mapping[str, Any]:
        now = self._host.clock.now()
        counted = self._store.one("SELECT count(*) AS n FROM releases")
        serial = FIRST_NUMBER + (counted["n"] if counted else 0)
        number, release_id = f"SH-{serial}", f"REL-{serial}"
        self._store.execute(
            "INSERT INTO releases VALUES (?, ?, ?, ?, 'RELEASED')", (body["externalKey"], release_id, number, content)
        )
        self._store.execute(
            "INSERT INTO shipments VALUES (?, ?, ?, ?, 'RELEASED', '[]', ?, ?, 1, 'PICKING', ?)",
            (
                *(number, body["orderRef"], body["accountRef"], body["warehouse"], body.get("requestedDelivery")),
                *(utc_text(now), utc_text(now + FIRST_STEP_AFTER)),
            ),
        )
        for line in lines:
            taken = self._take(line["sku"], body["warehouse"], line["quantity"], now)
            self._store.execute(
                "INSERT INTO shipment_lines VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (number, line["lineNo"], line["sku"], line["quantity"], taken, line["uom"]),
            )
        self._milestone(number, 1, "RELEASED", "RELEASED", now, body["warehouse"])
        self._tell("release.accepted", number, "RELEASED", "RELEASED", now, 1)
        self._due.set()
        release = self._store.one("SELECT * FROM releases WHERE external_key = ?", (body["externalKey"],))
        if release is None:
            raise RuntimeError("the release that was just written is gone")
        return self._told(release)

    def _take(self, sku: str, warehouse: str, wanted: int, now: datetime) -> int:
        """Allocate up to ``wanted`` of what is free and return how much."""
        position = self._store.one("SELECT * FROM stock WHERE sku = ? AND warehouse = ?", (sku, warehouse))
        if position is None:
            raise Refusal(422, "UNKNOWN_ITEM", f"{sku} is not kept in {warehouse}")
        free: int = position["on_hand"] - position["allocated"] - position["blocked"]
        taken = max(0, min(wanted, free))
        if taken:
            self.move(sku, warehouse, 0, taken, now)
        return taken

    def move(self, sku: str, warehouse: str, on_hand: int, allocated: int, now: datetime) -> None:
        """Change a position and tell of it; the table's checks forbid less than nothing."""
        self._store.execute(
            "UPDATE stock SET on_hand = on_hand + ?, allocated = allocated + ?, sequence = sequence + 1, "
            "changed_at = ? WHERE sku = ? AND warehouse = ?",
            (on_hand, allocated, utc_text(now), sku, warehouse),
        )
        row = self._store.one("SELECT * FROM stock WHERE sku = ? AND warehouse = ?", (sku, warehouse))
        if row is not None:
            body = {"occurredAt": utc_text(now), "position": position_json(row)}
            self._host.webhooks.send("stock.changed", body, key=f"{sku}:{warehouse}:{row['sequence']}")

    def find_release(self, external_key: str) -> Mapping[str, Any] | None:
        """Return the release of a key."""
        found = self._store.one("SELECT * FROM releases WHERE external_key = ?", (external_key,))
        return None if found is None else self._told(found)

    def cancel(self, external_key: str) -> bool:
        """Cancel a release and give its stock back; False when it was picked already.

        Raises:
            Refusal: nothing was released under the key.
        """
        with self._store.transaction():
            release = self._store.one("SELECT * FROM releases WHERE external_key = ?", (external_key,))
            if release is None:
                raise Refusal(404, "UNKNOWN_RELEASE", f"nothing was released under key {external_key}")
            if release["state"] == "CANCELLED":
                return True
            number, now = release["shipment"], self._host.clock.now()
            shipment = self._store.one("SELECT * FROM shipments WHERE number = ?", (number,))
            if shipment is None or shipment["status"] != "RELEASED":
                return False
            for line in self._store.query("SELECT * FROM shipment_lines WHERE shipment = ?", (number,)):
                if line["quantity"]:
                    self.move(line["sku"], shipment["warehouse"], 0, -line["quantity"], now)
            self._store.execute("UPDATE releases SET state = 'CANCELLED' WHERE external_key = ?", (external_key,))
            self._store.execute("UPDATE shipments SET next_at = NULL WHERE number = ?", (number,))
            self._advance(shipment, "CANCELLED", "CANCELLED", "release.cancelled", now)
            return True

    def hold(self, external_key: str) -> str:
        """Keep a release from being picked until it is resumed or cancelled; return its state.

        Raises:
            Refusal: nothing was released under the key, or it is picked already.
        """
        with self._store.transaction():
            release, shipment = self._release_row(external_key)
            if release["state"] == "CANCELLED":
                return "CANCELLED"
            if shipment["status"] != "RELEASED":
                raise Refusal(409, "PICKED", "the goods are picked already")
            self._store.execute("UPDATE releases SET state = 'HELD' WHERE external_key = ?", (external_key,))
            self._store.execute("UPDATE shipments SET next_at = NULL WHERE number = ?", (shipment["number"],))
            return "HELD"

    def resume(self, external_key: str) -> str:
        """Let a release that is held be picked as if it had just come; return its state.

        Raises:
            Refusal: nothing was released under the key.
        """
        with self._store.transaction():
            release, shipment = self._release_row(external_key)
            if release["state"] != "HELD":
                return str(release["state"])
            due = utc_text(self._host.clock.now() + FIRST_STEP_AFTER)
            self._store.execute("UPDATE releases SET state = 'RELEASED' WHERE external_key = ?", (external_key,))
            self._store.execute("UPDATE shipments SET next_at = ? WHERE number = ?", (due, shipment["number"]))
            self._due.set()
            return "RELEASED"

    def _release_row(self, external_key: str) -> tuple[sqlite3.Row, sqlite3.Row]:
        release = self._store.one("SELECT * FROM releases WHERE external_key = ?", (external_key,))
        if release is None:
            raise Refusal(404, "UNKNOWN_RELEASE", f"nothing was released under key {external_key}")
        shipment = self._store.one("SELECT * FROM shipments WHERE number = ?", (release["shipment"],))
        if shipment is None:
            raise RuntimeError(f"release {external_key} has lost its shipment")
        return release, shipment

    async def work(self) -> None:
        """Advance shipments as they fall due, until cancelled."""
        clock = self._host.clock
        while True:
            self._due.clear()
            row = self._store.one("SELECT * FROM shipments WHERE next_at IS NOT NULL ORDER BY next_at, number LIMIT 1")
            wait_until = clock.now() + IDLE
            if row is not None:
                due = datetime.fromisoformat(row["next_at"])
                if due <= clock.now():
                    with self._store.transaction():
                        self._step(row, due)
                    await asyncio.sleep(0)
                    continue
                wait_until = min(wait_until, due)
            waits = {asyncio.ensure_future(self._due.wait()), asyncio.ensure_future(clock.wait_until(wait_until))}
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    def _step(self, shipment: sqlite3.Row, now: datetime) -> None:
        progress = _STEPS[shipment["next_step"]]
        number = shipment["number"]
        if progress.code == "SHIPPED":
            for line in self._store.query("SELECT * FROM shipment_lines WHERE shipment = ?", (number,)):
                if line["quantity"]:
                    self.move(line["sku"], shipment["warehouse"], -line["quantity"], -line["quantity"], now)
        if progress.code == "PACKED":
            counted = self._store.one("SELECT count(*) AS n FROM shipments WHERE sscc <> '[]'")
            code = sscc(FIRST_SSCC + (counted["n"] if counted else 0))
            self._store.execute("UPDATE shipments SET sscc = ? WHERE number = ?", (json.dumps([code]), number))
        next_at = None if progress.then is None else utc_text(now + progress.after)
        self._store.execute(
            "UPDATE shipments SET next_step = ?, next_at = ? WHERE number = ?", (progress.then, next_at, number)
        )
        self._advance(shipment, progress.code, progress.status, progress.event, now)

    def _advance(self, shipment: sqlite3.Row, code: str, status: str, event: str, now: datetime) -> None:
        number, sequence = shipment["number"], shipment["sequence"] + 1
        self._store.execute(
            "UPDATE shipments SET status = ?, sequence = ?, changed_at = ? WHERE number = ?",
            (status, sequence, utc_text(now), number),
        )
        self._milestone(number, sequence, code, status, now, shipment["warehouse"])
        self._tell(event, number, code, status, now, sequence)

    def _milestone(self, number: str, sequence: int, code: str, status: str, at: datetime, place: str) -> None:
        self._store.execute(
            "INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?)", (number, sequence, code, status, utc_text(at), place)
        )

    def _tell(self, event: str, number: str, code: str, status: str, at: datetime, sequence: int) -> None:
        shipment = shipments_json(self._store, [number])[0]
        body = {
            "occurredAt": utc_text(at),
            "sequence": sequence,
            "milestone": {"code": code, "status": status, "at": utc_text(at), "place": shipment["warehouse"]},
            "shipment": {name: value for name, value in shipment.items() if name != "milestones"},
        }
        self._host.webhooks.send(event, body, key=f"{number}:{sequence}")

    def _told(self, release: sqlite3.Row) -> Mapping[str, Any]:
        lines = self._store.query(
            "SELECT * FROM shipment_lines WHERE shipment = ? ORDER BY line_no", (release["shipment"],)
        )
        return {
            "id": release["id"],
            "externalKey": release["external_key"],
            "shipmentNumber": release["shipment"],
            "state": release["state"],
            "lines": [
                {
                    "lineNo": line["line_no"],
                    "sku": line["sku"],
                    "allocated": from_milli(line["quantity"]),
                    "short": from_milli(line["requested"] - line["quantity"]),
                }
                for line in lines
            ],
        }


def position_json(row: sqlite3.Row | Mapping[str, Any]) -> dict[str, Any]:
    """Return a stock position as the API shows it."""
    return {
        "sku": row["sku"],
        "warehouse": row["warehouse"],
        "uom": row["uom"],
        "onHand": from_milli(row["on_hand"]),
        "allocated": from_milli(row["allocated"]),
        "blocked": from_milli(row["blocked"]),
        "safetyStock": from_milli(row["safety_stock"]),
        "sequence": row["sequence"],
        "changedAt": row["changed_at"],
    }


def shipments_json(store: Any, numbers: Sequence[str]) -> list[dict[str, Any]]:
    """Return shipments with lines and milestones as the API shows them, in the order of their numbers."""
    marks = ", ".join("?" for _ in numbers)
    lines: dict[str, list[dict[str, Any]]] = {number: [] for number in numbers}
    for line in store.query(f"SELECT * FROM shipment_lines WHERE shipment IN ({marks}) ORDER BY line_no", numbers):  # noqa: S608
        lines[line["shipment"]].append(
            {
                "lineNo": line["line_no"],
                "sku": line["sku"],
                "quantity": from_milli(line["quantity"]),
                "uom": line["uom"],
                "lot": line["lot"],
            }
        )
    milestones: dict[str, list[dict[str, Any]]] = {number: [] for number in numbers}
    for row in store.query(f"SELECT * FROM milestones WHERE shipment IN ({marks}) ORDER BY sequence", numbers):  # noqa: S608
        entry = {name: row[name] for name in ("code", "status", "at", "place")}
        milestones[row["shipment"]].append(entry)
    rows = store.query(f"SELECT * FROM shipments WHERE number IN ({marks}) ORDER BY number", numbers)  # noqa: S608
    return [
        {
            "number": row["number"],
            "orderRef": row["order_ref"],
            "accountRef": row["account_ref"],
            "warehouse": row["warehouse"],
            "status": row["status"],
            "sscc": json.loads(row["sscc"]),
            "plannedDelivery": row["planned_delivery"],
            "changedAt": row["changed_at"],
            "lines": lines[row["number"]],
            "milestones": milestones[row["number"]],
        }
        for row in rows
    ]


def _lines(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_LINES:
        raise Refusal(422, "BAD_LINES", f"give 1 to {MAX_LINES} lines")
    lines = []
    for line in given:
        if (
            not isinstance(line, dict)
            or not isinstance(line.get("lineNo"), int)
            or not isinstance(line.get("sku"), str)
        ):
            raise Refusal(422, "BAD_LINES", "a line has lineNo, sku, quantity and uom")
        quantity = to_milli(line.get("quantity"))
        lines.append({"lineNo": line["lineNo"], "sku": line["sku"], "quantity": quantity, "uom": str(line.get("uom"))})
    if len({line["lineNo"] for line in lines}) != len(lines):
        raise Refusal(422, "BAD_LINES", "two lines have the same lineNo")
    return lines
