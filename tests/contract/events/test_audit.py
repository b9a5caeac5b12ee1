"""The audit over both databases: in the commit that it tells of, in one chain, and no change of it goes unseen."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
import typer
from sqlalchemy import select, text
from typer.testing import CliRunner

from crossdock.commands import register
from events import audit as module
from events.audit import GENESIS, MAX_DOCUMENT, Head, SqlAuditLog
from events.bus import MemoryBus
from events.log import SqlEventLog
from events.tables import audit_log
from schema.records.audit import AuditEntry
from systems.errors import Conflict, ConnectorError
from systems.platform import PlatformKeyRegistry, PlatformOrderLedger
from systems.platform.database import Database
from systems.ports import KeyUse
from tests.support.platform_records import NOW, event, ledger_order

ENTRY = AuditEntry("user:ann", "orderSubmit", "REQUESTED", subject="prc_1", after={"poNumber": "PO-1"})
LIFTED = {
    "sqlite": ("DROP TRIGGER audit_log_stays", "DROP TRIGGER audit_log_remains"),
    "postgresql": ("ALTER TABLE audit_log DISABLE TRIGGER USER",),
}
RESTORED = {"sqlite": (), "postgresql": ("ALTER TABLE audit_log ENABLE TRIGGER USER",)}


@pytest.fixture
def audit(database: Database) -> SqlAuditLog:
    return SqlAuditLog(database)


@pytest.fixture
def log(database: Database, audit: SqlAuditLog) -> SqlEventLog:
    return SqlEventLog(database, MemoryBus(), audit.note)


async def rows(database: Database) -> list[Any]:
    async with database.reading() as connection:
        return list((await connection.execute(select(audit_log).order_by(audit_log.c.number))).all())


async def tamper(database: Database, *statements: str) -> None:
    """Change the log as somebody who owns the database can."""
    async with database.transaction() as connection:
        name = connection.dialect.name
        for step in (*LIFTED[name], *statements, *RESTORED[name]):
            await connection.execute(text(step))


async def test_entries_make_one_chain_from_the_first_on(audit: SqlAuditLog, database: Database) -> None:
    await audit.append([ENTRY, replace(ENTRY, outcome="REPLAYED")])
    await audit.append([ENTRY])
    first, second, third = await rows(database)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert [entry.previous_hash for entry in (first, second, third)] == [GENESIS, first.hash, second.hash]
    verdict = await audit.verify()
    assert (verdict.head, verdict.broken) == (Head(3, third.hash), None)


async def test_an_empty_log_is_sound(audit: SqlAuditLog) -> None:
    assert (await audit.verify()).head == Head(0, GENESIS)


TAMPERING = [
    pytest.param("UPDATE audit_log SET actor = 'user:bob' WHERE number = 2", 2, "its content", id="another actor"),
    pytest.param("UPDATE audit_log SET after = '{}' WHERE number = 3", 3, "its content", id="another payload"),
    pytest.param("UPDATE audit_log SET at = '2020-01-01 00:00:00' WHERE number = 1", 1, "its content", id="the time"),
    pytest.param("DELETE FROM audit_log WHERE number = 3", 3, "it is missing: 4 comes next", id="an entry less"),
    pytest.param("DELETE FROM audit_log WHERE number = 1", 1, "it is missing: 2 comes next", id="the first entry gone"),
    pytest.param(
        "UPDATE audit_log SET hash = repeat_a, previous_hash = repeat_a WHERE number = 2", 2, "it does not", id="hashes"
    ),
]

SWAPPED = (
    "UPDATE audit_log SET number = 99 WHERE number = 2",
    "UPDATE audit_log SET number = 2 WHERE number = 3",
    "UPDATE audit_log SET number = 3 WHERE number = 99",
)
_COPIED = "actor, operation, outcome, subject, account_id, correlation_id, before, after"


@pytest.mark.parametrize(("statement", "number", "reason"), TAMPERING)
async def test_tampering_is_found_at_the_first_broken_entry(
    audit: SqlAuditLog,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    number: int,
    reason: str,
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    await audit.append([replace(ENTRY, subject=f"prc_{place}") for place in range(5)])
    await tamper(database, statement.replace("repeat_a", f"'{'a' * 64}'"))
    verdict = await audit.verify()
    assert verdict.broken == number
    assert verdict.head.number == number - 1
    assert (verdict.reason or "").startswith(reason)


async def test_entries_that_changed_places_are_found(audit: SqlAuditLog, database: Database) -> None:
    await audit.append([replace(ENTRY, subject=f"prc_{place}") for place in range(5)])
    await tamper(database, *SWAPPED)
    verdict = await audit.verify()
    assert (verdict.broken, verdict.reason) == (2, "it does not carry the hash of the entry before it")


@pytest.mark.parametrize(
    ("place", "broken", "reason"),
    [
        pytest.param("4, at, PAYLOAD, hash, repeat_a", 4, "its content", id="after the last, bound to it"),
        pytest.param("4, at, PAYLOAD, previous_hash, hash", 4, "it does not carry", id="a copy of the last"),
        pytest.param("0, at, PAYLOAD, previous_hash, hash", 0, "no entry stands before", id="before the first"),
        pytest.param("-7, at, PAYLOAD, previous_hash, hash", -7, "no entry stands before", id="long before the first"),
    ],
)
async def test_an_entry_that_somebody_has_forged_is_found(
    audit: SqlAuditLog, database: Database, place: str, broken: int, reason: str
) -> None:
    await audit.append([ENTRY] * 3)
    values = place.replace("PAYLOAD", _COPIED).replace("repeat_a", f"'{'a' * 64}'")
    names = f"number, at, {_COPIED}, previous_hash, hash"
    async with database.transaction() as connection:
        await connection.execute(
            text(f"INSERT INTO audit_log ({names}) SELECT {values} FROM audit_log WHERE number = 3")
        )
    verdict = await audit.verify()
    assert verdict.broken == broken
    assert (verdict.reason or "").startswith(reason)


async def test_an_entry_that_cannot_be_read_is_named(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    async with Database(sqlite_url) as database:
        audit = SqlAuditLog(database)
        await audit.append([ENTRY] * 6)
        await tamper(database, "UPDATE audit_log SET at = 'soon' WHERE number = 5")
        verdict = await audit.verify()
    assert (verdict.head.number, verdict.broken, verdict.reason) == (4, 5, "its content cannot be read")


async def test_entries_cut_off_at_the_end_are_missed_when_the_head_was_kept(
    audit: SqlAuditLog, database: Database
) -> None:
    await audit.append([ENTRY, ENTRY, ENTRY])
    kept = (await audit.verify()).head
    await tamper(database, "DELETE FROM audit_log WHERE number = 3")
    assert (await audit.verify()).broken is None
    assert (await audit.verify(kept)).broken == 3
    await audit.append([replace(ENTRY, actor="user:bob")])
    verdict = await audit.verify(kept)
    assert (verdict.broken, verdict.reason) == (3, "it is not the entry that was verified before")


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'user:bob'", "DELETE FROM audit_log"])
async def test_the_database_itself_refuses_to_change_the_audit(
    audit: SqlAuditLog, database: Database, statement: str
) -> None:
    await audit.append([ENTRY])
    with pytest.raises(ConnectorError, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(text(statement))
    assert (await audit.verify()).head.number == 1


@pytest.mark.parametrize("statement", ["TRUNCATE audit_log", "TRUNCATE event_log, audit_log CASCADE"])
async def test_postgresql_refuses_to_empty_the_audit_at_once(postgres_url: str, statement: str) -> None:
    async with Database(postgres_url) as database:
        audit = SqlAuditLog(database)
        await audit.append([ENTRY])
        with pytest.raises(ConnectorError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(text(statement))
        assert (await audit.verify()).head.number == 1


@pytest.mark.parametrize("then", [pytest.param(0, id="empty"), pytest.param(3, id="begun anew since")])
async def test_a_log_that_was_emptied_is_missed_by_what_the_events_tell(
    audit: SqlAuditLog, log: SqlEventLog, database: Database, then: int
) -> None:
    await log.append([replace(event("released"), actor="user:credit", manual=True), event("priced")])
    assert (await audit.verify()).broken is None
    await tamper(database, "DELETE FROM audit_log")
    if then:
        await audit.append([ENTRY] * then)
    verdict = await audit.verify()
    assert (verdict.head.number, verdict.broken) == (then, then + 1)
    assert verdict.reason == "it is missing: no entry tells of order.received of ord_1 by user:credit"


@pytest.mark.parametrize(
    "replacing",
    [
        pytest.param(f"(number, at, {_COPIED}, previous_hash, hash) SELECT 1", id="by its number"),
        pytest.param(f"(rowid, number, at, {_COPIED}, previous_hash, hash) SELECT 1, 9", id="by its place"),
    ],
)
async def test_sqlite_refuses_to_put_another_entry_in_the_place_of_one(sqlite_url: str, replacing: str) -> None:
    async with Database(sqlite_url) as database:
        audit = SqlAuditLog(database)
        await audit.append([ENTRY, ENTRY])
        with pytest.raises(ConnectorError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(
                    text(
                        f"INSERT OR REPLACE INTO audit_log {replacing}, at, {_COPIED}, previous_hash, hash"
                        " FROM audit_log WHERE number = 2"
                    )
                )
        await audit.append([ENTRY])
        verdict = await audit.verify()
    assert (verdict.head.number, verdict.broken) == (3, None)


async def test_writers_at_once_make_one_chain(audit: SqlAuditLog, database: Database) -> None:
    await asyncio.gather(*(SqlAuditLog(database).append([ENTRY] * 3) for _ in range(8)))
    verdict = await audit.verify()
    assert (verdict.head.number, verdict.broken) == (24, None)


async def test_a_document_too_long_is_kept_as_its_hash(audit: SqlAuditLog, database: Database) -> None:
    await audit.append([replace(ENTRY, after={"body": "x" * MAX_DOCUMENT})])
    (row,) = await rows(database)
    assert '"characters":' in row.after
    assert len(row.after) < 200


async def test_what_a_person_changes_is_noted_with_the_fields_before_and_after(
    log: SqlEventLog, database: Database
) -> None:
    ledger = PlatformOrderLedger(database, log.append_in)
    order = await ledger.create(ledger_order(1), [event("received")])
    released = replace(event("released"), type="order.hold.released", actor="user:credit", manual=True)
    before = None if order.promised_date is None else order.promised_date.isoformat()
    await ledger.update(replace(order, promised_date=NOW.date()), [released])
    (row,) = await rows(database)
    assert (row.actor, row.operation, row.outcome) == ("user:credit", "order.hold.released", "DONE")
    assert row.before == f'{{"promised_date":{json.dumps(before)},"version":1}}'
    assert row.after == f'{{"promised_date":"{NOW.date()}","version":2}}'


async def test_a_change_that_fails_leaves_no_entry(log: SqlEventLog, database: Database) -> None:
    ledger = PlatformOrderLedger(database, log.append_in)
    order = await ledger.create(ledger_order(1))
    mine = replace(event("released"), actor="user:credit", manual=True)
    with pytest.raises(Conflict):
        await ledger.update(replace(order, version=7), [mine])
    assert await rows(database) == []


async def test_what_the_platform_does_by_itself_is_in_the_event_log_alone(log: SqlEventLog, database: Database) -> None:
    await log.append([event("priced")])
    assert await rows(database) == []


async def test_an_event_that_is_known_is_not_noted_again(log: SqlEventLog, database: Database) -> None:
    mine = replace(event("released"), actor="user:credit", manual=True)
    await log.append([mine])
    await log.append([mine])
    assert len(await rows(database)) == 1


async def test_a_request_is_noted_with_what_became_of_its_key(audit: SqlAuditLog, database: Database) -> None:
    keys = PlatformKeyRegistry(database, audit.append_in)
    use = KeyUse("demo|user:ann|orderSubmit", "o-1", "hash", "prc_1", ENTRY)
    await keys.claim(use, NOW)
    await keys.claim(use, NOW)
    await keys.claim(replace(use, payload_hash="other"), NOW)
    assert [row.outcome for row in await rows(database)] == ["REQUESTED", "REPLAYED", "CONFLICT"]


async def test_the_command_names_the_first_broken_entry(
    audit: SqlAuditLog, database: Database, database_url: str
) -> None:
    await audit.append([ENTRY, ENTRY])
    head, app = (await audit.verify()).head, typer.Typer()
    register(app)

    async def run(*more: str) -> tuple[int, str]:
        arguments = ["audit", "verify", "--database", database_url, *more]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        return result.exit_code, result.output

    sound = f"2 entries are sound; the head is 2:{head.hash}"
    assert await run() == (0, f"{sound}\n")
    assert await run("--expect", f"2:{head.hash}") == (0, f"{sound}\n")
    assert (await run("--expect", "2:abc"))[0] == 2
    await tamper(database, "UPDATE audit_log SET actor = 'user:bob' WHERE number = 2")
    assert await run() == (1, "entry 2 is broken: its content is not what its hash was made of\n")
