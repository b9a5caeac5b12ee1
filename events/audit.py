"""The audit log: append-only, each entry bound to the one before it by a hash, written in the commit that it tells of.

``hash`` is SHA-256 over the entry's number, time, fields and the hash of the entry before it. Whoever changes, drops or
inserts an entry breaks the chain from there on. That entries were cut off at the end, or all of them, a chain cannot
tell by itself: the event log tells of some of them as long as it keeps its events; keep the head that a verification
prints elsewhere, and give it to the next one.

Within a transaction the audit is written last: its lock is held until the commit, and nobody takes another after it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from events.log import Transactions
from events.masking import without_tax_numbers
from events.tables import audit_log, event_log
from schema.events.envelope import Event
from schema.records.audit import PLATFORM, AuditEntry, Change

__all__ = ["Head", "SqlAuditLog", "Verdict", "entries_of"]

GENESIS = "0" * 64
"""Hash before the first entry."""

PAGE = 1_000
"""Entries that a verification reads at once."""

MAX_DOCUMENT = 100_000
"""Characters of a document that are kept; of a longer one its hash and length stand for it."""

_LOCK_KEY = 0x6175646974
"""PostgreSQL advisory lock of writers ("audit" as a number)."""

_HASHED = ("number", "actor", "operation", "outcome", "subject", "account_id", "correlation_id", "before", "after")


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found: the last sound entry, and at which entry and why the chain breaks, if it does."""

    head: Head
    broken: int | None = None
    reason: str | None = None


class SqlAuditLog:
    """The audit log in the platform's database."""

    def __init__(self, database: Transactions) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Append entries about what changed nothing: refusals."""
        async with self._database.transaction("append audit") as connection:
            await self.append_in(connection, entries)

    async def append_in(self, connection: AsyncConnection, entries: Sequence[AuditEntry]) -> None:
        """Append entries within the transaction of what they tell of, as the last thing in it."""
        if not entries:
            return
        if connection.dialect.name == "postgresql":
            await self._database.run(connection, _LOCK, {"key": _LOCK_KEY})
        latest, at = await self._database.run(connection, _LATEST), datetime.now(UTC)
        head = Head(*latest[0]) if latest else Head(0, GENESIS)
        for entry in entries:
            row = _row(entry, head, at)
            await self._database.run(connection, _APPEND, row)
            head = Head(row["number"], row["hash"])

    async def note(self, connection: AsyncConnection, events: Sequence[Event], change: Change | None) -> None:
        """Append what events say of who acted; the event log calls it."""
        await self.append_in(connection, entries_of(events, change))

    async def verify(self, expected: Head | None = None) -> Verdict:
        """Walk the chain from its first entry and return how far it is sound.

        Args:
            expected: a head that an earlier verification gave; its entry has to be there, unchanged.
        """
        head, after, size = Head(0, GENESIS), None, PAGE
        while True:
            try:
                page = await self._page(after, size)
            except ValueError:
                if size == 1:
                    return Verdict(head, head.number + 1, "its content cannot be read")
                size = 1  # one of the page cannot be read, so the next are read one by one until it is met
                continue
            for row in page:
                if row["number"] < 1:
                    return Verdict(head, row["number"], "no entry stands before the first")
                reason = _flaw(row, head)
                if reason is None and expected is not None and row["number"] == expected.number:
                    reason = None if row["hash"] == expected.hash else "it is not the entry that was verified before"
                if reason is not None:
                    return Verdict(head, head.number + 1, reason)
                head = Head(row["number"], row["hash"])
            if len(page) < size:
                break
            after = head.number
        if expected is not None and head.number < expected.number:
            return Verdict(head, head.number + 1, f"it is missing: the chain went on to {expected.number} before")
        untold = await self._untold()
        return Verdict(head) if untold is None else Verdict(head, head.number + 1, f"it is missing: {untold}")

    async def _untold(self) -> str | None:
        """Return what the event log knows that somebody did and no entry tells of, None when there is no such thing."""
        async with self._database.reading("compare audit") as connection:
            found = (await connection.execute(_UNTOLD)).first()
        return None if found is None else f"no entry tells of {found.type} of {found.subject} by {found.actor}"

    async def _page(self, after: int | None, size: int) -> Sequence[RowMapping]:
        """Return entries in order after a number, from whatever the first is on without one.

        Raises:
            ValueError: one of them holds what no program of ours has written.
        """
        columns = audit_log.c
        wanted = select(audit_log).order_by(columns.number).limit(size)
        if after is not None:
            wanted = wanted.where(columns.number > after)
        async with self._database.reading("read audit") as connection:
            return (await connection.execute(wanted)).mappings().all()


def entries_of(events: Sequence[Event], change: Change | None) -> list[AuditEntry]:
    """Return what the audit says of events: an entry for each that somebody other than the platform caused."""
    before, after = (None, None) if change is None else _differences(change)
    return [
        AuditEntry(
            actor=event.actor,
            operation=event.type,
            outcome="DONE",
            subject=event.subject,
            account_id=event.account_id,
            correlation_id=event.correlation_id,
            before=before,
            after=dict(event.data) if change is None else after,
        )
        for event in events
        if event.actor != PLATFORM
    ]


def _differences(change: Change) -> tuple[Any, Any]:
    before, after = change.before, change.after
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return before, after
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


# Statements of every day are made once.
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_LATEST = select(audit_log.c.number, audit_log.c.hash).order_by(audit_log.c.number.desc()).limit(1)
_APPEND = insert(audit_log).values({column.name: bindparam(column.name, type_=column.type) for column in audit_log.c})
_TOLD = select(audit_log.c.number).where(
    audit_log.c.subject == event_log.c.subject,
    audit_log.c.operation == event_log.c.type,
    audit_log.c.actor == event_log.c.actor,
)
_UNTOLD = (
    select(event_log.c.type, event_log.c.subject, event_log.c.actor)
    .where(event_log.c.actor != PLATFORM, ~_TOLD.exists())
    .order_by(event_log.c.position)
    .limit(1)
)


def _row(entry: AuditEntry, head: Head, at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": head.number + 1,
        "at": at,
        "actor": entry.actor,
        "operation": entry.operation,
        "outcome": entry.outcome,
        "subject": entry.subject,
        "account_id": entry.account_id,
        "correlation_id": entry.correlation_id,
        "before": _document(entry.before),
        "after": _document(entry.after),
        "previous_hash": head.hash,
    }
    return {**row, "hash": _hash(row)}


def _flaw(row: RowMapping, head: Head) -> str | None:
    """Return what is wrong with the entry that should follow a head, None when it does follow it."""
    if row["number"] != head.number + 1:
        return f"it is missing: {row['number']} comes next"
    if row["previous_hash"] != head.hash:
        return "it does not carry the hash of the entry before it"
    return None if row["hash"] == _hash(row) else "its content is not what its hash was made of"


def _hash(row: Mapping[Any, Any]) -> str:
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    hashed = [row["previous_hash"], at, *(row[name] for name in _HASHED)]
    return hashlib.sha256(_canonical(hashed).encode()).hexdigest()


def _document(value: Any) -> str | None:
    """Return a document as text, so that no database writes it in another way than it was hashed."""
    if value is None:
        return None
    written = _canonical(without_tax_numbers(value))
    if len(written) <= MAX_DOCUMENT:
        return written
    return _canonical({"sha256": hashlib.sha256(written.encode()).hexdigest(), "characters": len(written)})


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
