"""Facts in both databases: folded once, page by page, by whoever gets to it, and made anew on wish."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from events.bus import MemoryBus
from events.log import SqlEventLog
from events.projections import projector
from events.projections.facts import Fact, FactKind, OrderFact, TrafficFact
from events.projections.projector import FactProjection
from schema.enums import SourceSystem
from schema.events.envelope import Event
from systems.platform.database import Database

AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
DAYS = (date(2026, 1, 1), date(2026, 1, 31))


def event(number: int, type_: str = "order.hold.released", at: datetime = AT) -> Event:
    order = f"ord_{number % 7}"
    return Event(
        id=f"or:{order}:{type_}:{number}",
        source="/dist/orders",
        type=type_,
        subject=order,
        partition_key=order,
        correlation_id=order,
        system=SourceSystem.WMS,
        occurred_at=at + timedelta(seconds=number),
        data={},
        actor="user:ann",
        manual=True,
    )


@pytest.fixture
def log(database: Database) -> SqlEventLog:
    return SqlEventLog(database, MemoryBus())


@pytest.fixture
def projection(database: Database) -> FactProjection:
    return FactProjection(database)


async def facts(projection: FactProjection, *kinds: FactKind, days: tuple[date, date] = DAYS) -> list[Fact]:
    return [fact async for fact in projection.facts(kinds, *days)]


async def touches(projection: FactProjection) -> dict[str, int]:
    found = await facts(projection, FactKind.ORDER)
    return {fact.id: fact.touches for fact in found if isinstance(fact, OrderFact)}


async def fill(log: SqlEventLog, count: int = 70) -> None:
    await log.append([event(number, "order.received") for number in range(7)])
    await log.append([event(number) for number in range(7, count)])


async def test_every_event_counts_once_however_the_log_is_cut(log: SqlEventLog, projection: FactProjection) -> None:
    await fill(log, 70)
    await projection.catch_up()
    await fill(log, 140)
    assert await projection.advance() == 70
    assert await projection.advance() == 0
    assert await touches(projection) == {f"ord_{number}": 19 for number in range(7)}


async def test_programs_that_project_at_once_share_the_work(
    database: Database, log: SqlEventLog, projection: FactProjection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "PAGE", 9)
    await fill(log)
    assert await projection.advance() == 9
    await asyncio.gather(*(FactProjection(database).catch_up() for _ in range(4)))
    assert await touches(projection) == {f"ord_{number}": 9 for number in range(7)}


async def test_facts_made_anew_are_the_same(log: SqlEventLog, projection: FactProjection) -> None:
    await fill(log)
    await projection.catch_up()
    before = await facts(projection, *FactKind)
    await projection.rebuild()
    await projection.catch_up()
    assert await facts(projection, *FactKind) == before != []


async def test_a_new_version_of_folding_begins_at_the_start(
    log: SqlEventLog, projection: FactProjection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(log)
    await projection.catch_up()
    monkeypatch.setattr(projector, "VERSION", "facts:test")
    await fill(log, 77)
    await projection.catch_up()
    assert await touches(projection) == {f"ord_{number}": 10 for number in range(7)}


async def test_facts_are_read_in_pages_and_by_their_days(
    log: SqlEventLog, projection: FactProjection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "READ_PAGE", 3)
    await fill(log)
    await log.append([event(number, "order.received", AT + timedelta(days=40)) for number in range(100, 107)])
    await projection.catch_up()
    assert len(await facts(projection, FactKind.ORDER)) == 7
    (january,) = await facts(projection, FactKind.TRAFFIC)
    assert january == TrafficFact("WMS", date(2026, 1, 5), 70)
    assert len(await facts(projection, FactKind.TRAFFIC, days=(date(2026, 2, 1), date(2026, 2, 28)))) == 1
