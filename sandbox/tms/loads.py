"""Loads on their way: tendered to a carrier, then from milestone to milestone as time passes.

Milestones carry X12 214 codes: AF departed, X6 under way, SD delayed, OF out for delivery, D1 delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, utc_text

__all__ = ["STATUS_OF", "Loads"]

CARRIERS = ("XMPL", "DEMO", "TEST", "FAUX")
"""Codes in the form of a SCAC that no carrier has."""

DELAYED_PERCENT = 6
DELAY = timedelta(hours=26)
IDLE = timedelta(hours=1)
"""Longest simulated time between looks at what is due."""

STATUS_OF: Mapping[str, str] = {
    "AF": "DEPARTED",
    "X6": "IN_TRANSIT",
    "SD": "DELAYED",
    "OF": "OUT_FOR_DELIVERY",
    "D1": "DELIVERED",
    "A7": "DELIVERY_FAILED",
}

_AFTER: Mapping[str, timedelta] = {
    "AF": timedelta(hours=2),
    "X6": timedelta(hours=6),
    "SD": timedelta(hours=4),
    "OF": timedelta(hours=14),
    "D1": timedelta(hours=4),
}
"""Time from what came before to each milestone."""

_NEXT: Mapping[str, str] = {"AF": "X6", "X6": "OF", "SD": "OF", "OF": "D1"}
_TEXTS = ("externalKey", "shipmentNumber", "orderRef", "accountRef", "origin", "destination", "readyAt")


class Loads:
    """All loads of one sandbox."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._store = host.store
        self._due = asyncio.Event()

    def tender(self, body: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        """Give a shipment to a carrier; return (whether it is new, the load). The same key tenders once.

        Raises:
            Refusal: the request is malformed, the shipment has a load already, or the key was used for another one.
        """
        for name in _TEXTS:
            if not isinstance(body.get(name), str) or not body[name]:
                raise Refusal(422, "MISSING_FIELD", f"{name} is required")
        ready = _time(body["readyAt"], "readyAt")
        content = json.dumps(body, sort_keys=True)
        with self._store.transaction():
            known = self._store.one("SELECT * FROM loads WHERE external_key = ?", (body["externalKey"],))
            if known is not None:
                if known["content"] != content:
                    raise Refusal(409, "KEY_REUSED", f"key {body['externalKey']} tendered something else before")
                return False, self.show([known["id"]])[0]
            if self._store.one("SELECT 1 FROM loads WHERE shipment = ?", (body["shipmentNumber"],)) is not None:
                raise Refusal(409, "TENDERED", f"shipment {body['shipmentNumber']} has a load already")
            return True, self._tender(body, content, ready)

    def _tender(self, body: Mapping[str, Any], content: str, ready: datetime) -> Mapping[str, Any]:
        number = body["shipmentNumber"]
        digest = int(hashlib.sha256(number.encode()).hexdigest(), 16)
        load_id, carrier = f"LD-{number}", CARRIERS[digest % len(CARRIERS)]
        tracking = str(7_000_000_000 + digest % 999_999_937)
        starts = max(ready, self._host.clock.now())
        eta = starts + sum((_AFTER[code] for code in ("AF", "X6", "OF", "D1")), timedelta())
        self._store.execute(
            "INSERT INTO loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'TENDERED', ?, NULL, 0, 'AF', ?)",
            (
                *(load_id, body["externalKey"], content, number, body["orderRef"], body["accountRef"]),
                *(
                    body["origin"],
                    body["destination"],
                    carrier,
                    tracking,
                    utc_text(eta),
                    utc_text(starts + _AFTER["AF"]),
                ),
            ),
        )
        self._due.set()
        return self.show([load_id])[0]

    def report(self, load_id: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take a milestone that a carrier reports, such as a delay, and return the load.

        Raises:
            Refusal: the load or the code is unknown, or the load is delivered.
        """
        code = str(body.get("code"))
        if code not in STATUS_OF:
            raise Refusal(422, "UNKNOWN_CODE", f"code must be one of {', '.join(STATUS_OF)}")
        with self._store.transaction():
            load = self._store.one("SELECT * FROM loads WHERE id = ?", (load_id,))
            if load is None:
                raise Refusal(404, "UNKNOWN_LOAD", f"there is no load {load_id}")
            if load["status"] == "DELIVERED":
                raise Refusal(409, "DELIVERED", f"load {load_id} is delivered")
            now = self._host.clock.now()
            at = now if body.get("at") is None else _time(body["at"], "at")
            self._reach(load, code, at, body.get("city"), body.get("reason"))
            self._due.set()
        return self.show([load_id])[0]

    async def work(self) -> None:
        """Move loads on as they fall due, until cancelled."""
        clock = self._host.clock
        while True:
            self._due.clear()
            row = self._store.one("SELECT * FROM loads WHERE next_at IS NOT NULL ORDER BY next_at, id LIMIT 1")
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

    def _step(self, load: sqlite3.Row, now: datetime) -> None:
        code = load["next_step"]
        digest = hashlib.sha256(f"{load['shipment']}:delay".encode()).digest()[0]
        reason = None
        if code == "OF" and load["status"] == "IN_TRANSIT" and digest * 100 < DELAYED_PERCENT * 256:
            code, reason = "SD", "AI"
        self._reach(load, code, now, load["destination"] if code in ("SD", "OF", "D1") else load["origin"], reason)

    def _reach(self, load: sqlite3.Row, code: str, at: datetime, city: object, reason: object) -> None:
        """Record a milestone. A late older one is added to the story without moving the load back."""
        sequence, status = load["sequence"] + 1, STATUS_OF[code]
        last = self._store.one("SELECT max(at) AS at FROM milestones WHERE load = ?", (load["id"],))
        is_news = last is None or last["at"] is None or utc_text(at) >= last["at"]
        self._store.execute(
            "INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?, ?)",
            (load["id"], sequence, code, status, utc_text(at), city, reason),
        )
        self._store.execute("UPDATE loads SET sequence = ? WHERE id = ?", (sequence, load["id"]))
        if is_news:
            following = _NEXT.get(code)
            next_at = None if following is None else utc_text(at + _AFTER[following])
            eta = datetime.fromisoformat(load["eta"])
            eta = eta + DELAY if code == "SD" else at if code == "D1" else eta
            if code == "SD" and following is not None:
                next_at = utc_text(at + DELAY)
            self._store.execute(
                "UPDATE loads SET status = ?, next_step = ?, next_at = ?, eta = ?, delivered_at = ? WHERE id = ?",
                (status, following, next_at, utc_text(eta), utc_text(at) if code == "D1" else None, load["id"]),
            )
        self._tell(load["id"], sequence)

    def _tell(self, load_id: str, sequence: int) -> None:
        load = self.show([load_id])[0]
        milestone = load.pop("milestones")[sequence - 1]
        body = {"occurredAt": milestone["at"], "sequence": sequence, "milestone": milestone, "load": load}
        self._host.webhooks.send("load.milestone", body, key=f"{load_id}:{sequence}")

    def show(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return loads as the API shows them, in the order of their ids."""
        marks = ", ".join("?" for _ in ids)
        milestones: dict[str, list[dict[str, Any]]] = {load_id: [] for load_id in ids}
        for row in self._store.query(f"SELECT * FROM milestones WHERE load IN ({marks}) ORDER BY sequence", ids):  # noqa: S608
            milestones[row["load"]].append({name: row[name] for name in ("code", "status", "at", "city", "reason")})
        rows = self._store.query(f"SELECT * FROM loads WHERE id IN ({marks}) ORDER BY id", ids)  # noqa: S608
        return [
            {
                "loadId": row["id"],
                "shipmentNumber": row["shipment"],
                "orderRef": row["order_ref"],
                "accountRef": row["account_ref"],
                "carrier": row["carrier"],
                "trackingNumber": row["tracking_number"],
                "status": row["status"],
                "eta": row["eta"],
                "deliveredAt": row["delivered_at"],
                "milestones": milestones[row["id"]],
            }
            for row in rows
        ]


def _time(text: object, name: str) -> datetime:
    refusal = Refusal(422, "BAD_TIME", f"{name} must be a time with a zone")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise refusal from error
    if moment.tzinfo is None:
        raise refusal
    return moment
