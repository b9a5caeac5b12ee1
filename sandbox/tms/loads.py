"""Loads of carriers: tendered by shippers, moved along a plan as time passes, reported milestone by milestone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.kit.due import DueWork
from sandbox.kit.host import Host
from sandbox.kit.rest import Refusal, marks, utc_text
from sandbox.kit.store import Store
from sandbox.tms.codes import CODES, FAILED, FINAL, NEW_DATE, status_code

__all__ = ["Loads", "Report", "loads_json"]

CARRIERS = ("XMPL", "DEMO", "TEST", "FAUX")
"""Codes in the form of a SCAC that no carrier has."""

FIRST_TRACKING = 520_000_000_001
PICK_UP_AFTER = timedelta(minutes=45)
LOADING = timedelta(minutes=10)
SHORTEST_H, LONGEST_H = 14, 22
"""Hours between pick-up and delivery."""

DELAY = timedelta(hours=26)
"""How much later a delayed load arrives, unless the report says otherwise."""

DELAYED_ONE_IN = 8
"""Of so many loads one is delayed; which ones follows from the shipment's number."""

NEXT_TRY = timedelta(hours=24)
MAX_TEXT = 150

_REQUIRED = ("externalKey", "shipmentNumber", "orderRef", "accountRef", "origin", "readyAt")


@dataclass(frozen=True, slots=True)
class Report:
    """What a carrier reports of a load. ``eta`` comes with a new date, ``delay`` with a delay."""

    code: str
    at: datetime
    place: str | None = None
    reason: str | None = None
    eta: datetime | None = None
    delay: timedelta = DELAY


class Loads:
    """All loads of one sandbox."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._store = host.store
        self._due = DueWork(host.clock, self._step)

    async def work(self) -> None:
        """Move loads along their plans until cancelled."""
        await self._due.run()

    def tender(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Give a shipment to a carrier; return (whether it is new, its number). The same key tenders once.

        Raises:
            Refusal: the request is malformed, the key was used for another shipment, or the shipment has a load.
        """
        for name in _REQUIRED:
            if not isinstance(body.get(name), str) or not 0 < len(body[name]) <= MAX_TEXT:
                raise Refusal(422, "MISSING_FIELD", f"{name} is required, with at most {MAX_TEXT} characters")
        ready = read_moment(body, "readyAt")
        deliver_by = None if body.get("deliverBy") is None else read_moment(body, "deliverBy")
        key, number = body["externalKey"], body["shipmentNumber"]
        with self._store.transaction():
            known = self._store.one("SELECT * FROM loads WHERE external_key = ?", (key,))
            if known is not None:
                if known["shipment"] != number:
                    raise Refusal(409, "KEY_REUSED", f"key {key} tendered shipment {known['shipment']} before")
                return False, number
            if self._store.one("SELECT 1 FROM loads WHERE shipment = ?", (number,)) is not None:
                raise Refusal(409, "ALREADY_TENDERED", f"shipment {number} was tendered under another key")
            self._tender(body, ready, deliver_by)
        self._due.wake()
        return True, number

    def _tender(self, body: Mapping[str, Any], ready: datetime, deliver_by: datetime | None) -> None:
        number, now = body["shipmentNumber"], self._host.clock.now()
        draw = int.from_bytes(hashlib.sha256(number.encode()).digest()[:8], "big")
        counted = self._store.one("SELECT count(*) AS n FROM loads")
        tracking = FIRST_TRACKING + (counted["n"] if counted else 0)
        destination = str(body.get("destination") or "")
        leaves = max(now, ready) + PICK_UP_AFTER
        travel = timedelta(hours=SHORTEST_H + draw % (LONGEST_H - SHORTEST_H + 1))
        self._store.execute(
            f"INSERT INTO loads VALUES ({marks(range(16))})",  # noqa: S608 - question marks
            (
                *(number, f"LD-{number}", body["externalKey"], str(tracking), CARRIERS[draw % len(CARRIERS)]),
                *(body["orderRef"], body["accountRef"], body["origin"], destination, utc_text(ready)),
                *(None if deliver_by is None else utc_text(deliver_by), utc_text(leaves + travel)),
                *(None, None, 0, utc_text(now)),
            ),
        )
        origin, city = self._city(body["origin"]), self._city(destination)
        plan: list[tuple[str, str | None, str | None, datetime]] = [
            ("CP", None, origin, leaves - LOADING),
            ("AF", None, origin, leaves),
            ("X6", None, None, leaves + travel * 0.35),
            ("AJ", None, city, leaves + travel * 0.9),
            ("X1", None, city, leaves + travel - timedelta(minutes=10)),
            ("D1", None, city, leaves + travel),
        ]
        if (draw >> 16) % DELAYED_ONE_IN == 0:
            plan.append(("SD", "AI", city, leaves + travel * 0.55))
        self._plan(number, plan)

    def _plan(self, number: str, plan: Sequence[tuple[str, str | None, str | None, datetime]]) -> None:
        self._store.execute("DELETE FROM plan WHERE shipment = ?", (number,))
        self._store.executemany(
            "INSERT INTO plan VALUES (?, ?, ?, ?, ?)",
            [(number, code, reason, place, utc_text(at)) for code, reason, place, at in plan],
        )

    def _city(self, code: str) -> str | None:
        place = self._store.one("SELECT city FROM places WHERE code = ?", (code,))
        return None if place is None else str(place["city"])

    def report(self, load_id: str, report: Report) -> tuple[bool, str]:
        """Record what a carrier reports; return (whether it is new, the shipment's number).

        A report that is older than others is kept and moves nothing back.

        Raises:
            Refusal: there is no such load, the time has not come yet, or the load has ended before it.
        """
        if report.at > self._host.clock.now():
            raise Refusal(422, "BAD_TIME", "a milestone cannot be reported before it happens")
        with self._store.transaction():
            load = self._store.one("SELECT * FROM loads WHERE id = ?", (load_id,))
            if load is None:
                raise Refusal(404, "UNKNOWN_LOAD", f"there is no load {load_id}")
            number, at = load["shipment"], utc_text(report.at)
            known = self._store.one(
                "SELECT 1 FROM milestones WHERE shipment = ? AND code = ? AND at = ?", (number, report.code, at)
            )
            if known is not None:
                return False, number
            told = self._told(number)
            ends = [entry[1] for entry in told if entry[0] in FINAL]
            if ends and (report.code in FINAL or at > min(ends)):
                raise Refusal(409, "LOAD_CLOSED", f"load {load_id} has ended at {min(ends)}")
            self._record(number, report, is_newest=all(at >= entry[1] for entry in told))
        self._due.wake()
        return True, number

    def _told(self, number: str) -> list[tuple[str, str]]:
        rows = self._store.query("SELECT code, at FROM milestones WHERE shipment = ? ORDER BY at, sequence", (number,))
        return [(row["code"], row["at"]) for row in rows]

    def _record(self, number: str, report: Report, *, is_newest: bool) -> None:
        """Append a milestone, change the plan if nothing newer is known, and tell of it."""
        at = utc_text(report.at)
        self._unplan(number, report.code)
        self._store.execute(
            "UPDATE loads SET sequence = sequence + 1, changed_at = ? WHERE shipment = ?",
            (utc_text(self._host.clock.now()), number),
        )
        load = self._store.one("SELECT * FROM loads WHERE shipment = ?", (number,))
        if load is None:
            raise RuntimeError(f"the load of shipment {number} is gone")
        self._store.execute(
            "INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (number, load["sequence"], report.code, report.reason, report.place, at),
        )
        self._store.execute(
            "UPDATE loads SET status_code = ? WHERE shipment = ?", (status_code(self._told(number)), number)
        )
        if is_newest or report.code in FINAL:
            self._replan(number, None if load["eta"] is None else datetime.fromisoformat(load["eta"]), report)
        shown = loads_json(self._store, [number])[0]
        body = {
            "occurredAt": at,
            "sequence": load["sequence"],
            "milestone": milestone_json(report.code, report.reason, report.place, at),
            "load": {name: value for name, value in shown.items() if name != "milestones"},
        }
        self._host.webhooks.send("load.milestone", body, key=f"{number}:{load['sequence']}")

    def _unplan(self, number: str, code: str) -> None:
        """Take a code off the plan, and with a step of the way the steps that come before it."""
        planned = self._store.one("SELECT at FROM plan WHERE shipment = ? AND code = ?", (number, code))
        if planned is None:
            return
        if code == "SD":
            self._store.execute("DELETE FROM plan WHERE shipment = ? AND code = ?", (number, code))
        else:
            self._store.execute(
                "DELETE FROM plan WHERE shipment = ? AND (at < ? OR code = ?)", (number, planned["at"], code)
            )

    def _replan(self, number: str, eta: datetime | None, report: Report) -> None:
        """Change what is to come and the estimated delivery as a report demands."""
        if report.code in FINAL:
            self._plan(number, [])
            delivered = utc_text(report.at) if report.code == "D1" else None
            self._store.execute(
                "UPDATE loads SET delivered_at = ?, eta = ? WHERE shipment = ?", (delivered, delivered, number)
            )
        elif report.code in FAILED:
            again = report.at + NEXT_TRY
            before = (("AJ", timedelta(hours=4)), ("X1", timedelta(minutes=10)), ("D1", timedelta()))
            self._plan(number, [(code, None, report.place, again - ahead) for code, ahead in before])
            self._set_eta(number, again)
        elif report.code == "SD":
            self._shift(number, report.delay, report.at)
            if eta is not None:
                self._set_eta(number, eta + report.delay)
        elif report.code in NEW_DATE and report.eta is not None:
            if eta is not None:
                self._shift(number, report.eta - eta, report.at)
            self._set_eta(number, report.eta)

    def _shift(self, number: str, by: timedelta, since: datetime) -> None:
        """Move what is planned, but not before ``since``."""
        for row in self._store.query("SELECT code, at FROM plan WHERE shipment = ?", (number,)):
            moved = max(since, datetime.fromisoformat(row["at"]) + by)
            self._store.execute(
                "UPDATE plan SET at = ? WHERE shipment = ? AND code = ?", (utc_text(moved), number, row["code"])
            )

    def _set_eta(self, number: str, eta: datetime) -> None:
        self._store.execute("UPDATE loads SET eta = ? WHERE shipment = ?", (utc_text(eta), number))

    def _step(self, now: datetime) -> datetime | None:
        row = self._store.one("SELECT * FROM plan ORDER BY at, shipment, code LIMIT 1")
        if row is None:
            return None
        due = datetime.fromisoformat(row["at"])
        if due <= now:
            with self._store.transaction():
                told = self._told(row["shipment"])
                report = Report(row["code"], due, row["place"], row["reason"])
                self._record(row["shipment"], report, is_newest=all(row["at"] >= entry[1] for entry in told))
        return due


def milestone_json(code: str, reason: str | None, place: str | None, at: str) -> dict[str, Any]:
    """Return a milestone as the API shows it."""
    return {"code": code, "text": CODES[code], "reason": reason, "city": place, "at": at}


def loads_json(store: Store, numbers: Sequence[str]) -> list[dict[str, Any]]:
    """Return loads with milestones in order of time as the API shows them, in the order of shipment numbers."""
    told: dict[str, list[dict[str, Any]]] = {number: [] for number in numbers}
    for row in store.query(
        f"SELECT * FROM milestones WHERE shipment IN ({marks(numbers)}) ORDER BY at, sequence",  # noqa: S608 - marks
        numbers,
    ):
        told[row["shipment"]].append(milestone_json(row["code"], row["reason"], row["place"], row["at"]))
    rows = store.query(
        f"SELECT * FROM loads WHERE shipment IN ({marks(numbers)}) ORDER BY shipment",  # noqa: S608 - marks
        numbers,
    )
    return [
        {
            "shipmentNumber": row["shipment"],
            "loadId": row["id"],
            "externalKey": row["external_key"],
            "carrier": row["carrier"],
            "trackingNumber": row["tracking"],
            "orderRef": row["order_ref"],
            "accountRef": row["account_ref"],
            "origin": row["origin"],
            "destination": row["destination"],
            "statusCode": row["status_code"],
            "eta": row["eta"],
            "deliveredAt": row["delivered_at"],
            "sequence": row["sequence"],
            "changedAt": row["changed_at"],
            "milestones": told[row["shipment"]],
        }
        for row in rows
    ]


def read_moment(body: Mapping[str, Any], name: str) -> datetime:
    """Return a time of a request in UTC.

    Raises:
        Refusal: it is no time with a zone.
    """
    try:
        moment = datetime.fromisoformat(body[name])
    except (KeyError, TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal(422, "BAD_TIME", f"{name} must be an ISO 8601 time with a zone")
    return moment.astimezone(UTC)
