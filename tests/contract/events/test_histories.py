"""Histories of stories and accounts over both databases: in the order of time, bounded, any number in one query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy.engine import Engine

from events.bus import MemoryBus
from events.log import SqlEventLog
from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter
from systems.platform.database import Database

ALL = EventFilter()
AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def event(
    name: str,
    minute: int,
    *,
    story: str = "quo_1",
    partition: str = "ord_1",
    account: str | None = "acc_1",
    type_: str = "order.received",
    system: SourceSystem = SourceSystem.PLATFORM,
) -> Event:
    return Event(
        id=name,
        source="/dist/orders",
        type=type_,
        subject=partition,
        partition_key=partition,
        correlation_id=story,
        system=system,
        occurred_at=AT + timedelta(minutes=minute),
        data={},
        account_id=account,
    )


@pytest.fixture
def log(database: Database) -> SqlEventLog:
    return SqlEventLog(database, MemoryBus())


async def test_a_history_is_in_the_order_of_time_and_not_of_arrival(log: SqlEventLog) -> None:
    await log.append([event("c", 3), event("a", 1), event("d", 3), event("b", 2)])

    found = await log.histories("correlation_id", ["quo_1"], ALL, None, 10)
    assert [one.event.id for one in found["quo_1"]] == ["a", "b", "c", "d"]


async def test_every_key_has_its_own_history_and_unknown_ones_an_empty_one(log: SqlEventLog) -> None:
    await log.append([event("a", 1), event("b", 2, story="quo_2", account="acc_2"), event("c", 3, account=None)])

    stories = await log.histories("correlation_id", ["quo_2", "quo_1", "quo_9", "quo_1"], ALL, None, 10)
    accounts = await log.histories("account_id", ["acc_1", "acc_2"], ALL, None, 10)
    assert {key: [one.event.id for one in found] for key, found in stories.items()} == {
        "quo_2": ["b"],
        "quo_1": ["a", "c"],
        "quo_9": [],
    }
    assert {key: [one.event.id for one in found] for key, found in accounts.items()} == {"acc_1": ["a"], "acc_2": ["b"]}


async def test_the_limit_holds_for_each_key(log: SqlEventLog) -> None:
    await log.append([event(f"{story}:{minute}", minute, story=story) for story in ("x", "y") for minute in range(3)])

    found = await log.histories("correlation_id", ["x", "y"], ALL, None, 2)
    assert [one.event.id for one in (*found["x"], *found["y"])] == ["x:0", "x:1", "y:0", "y:1"]


async def test_pages_go_on_behind_a_place_even_where_events_happened_at_once(log: SqlEventLog) -> None:
    partitions = ("ord_1", "ord_2", "ord_1", "ord_2", "ord_3", "ord_1")
    await log.append([event(str(number), 0, partition=partition) for number, partition in enumerate(partitions)])

    (everything,) = (await log.histories("correlation_id", ["quo_1"], ALL, None, 10)).values()
    paged = []
    place = None
    while page := (await log.histories("correlation_id", ["quo_1"], ALL, place, 2))["quo_1"]:
        paged += page
        place = page[-1].place
    assert paged == list(everything)
    assert len(everything) == len(partitions)
    assert [one.place for one in everything] == sorted(one.place for one in everything)


async def test_further_conditions_hold(log: SqlEventLog) -> None:
    await log.append([event("a", 1), event("b", 2, type_="shipment.shipped"), event("c", 3, account="acc_2")])

    where = EventFilter(types=("order.*",), account_id="acc_1")
    found = await log.histories("correlation_id", ["quo_1"], where, None, 10)
    assert [one.event.id for one in found["quo_1"]] == ["a"]


async def test_any_number_of_histories_is_one_statement(log: SqlEventLog) -> None:
    await log.append([event(f"e{number}", number, story=f"quo_{number}") for number in range(50)])
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "event_log" in statement:
            statements.append(statement)

    listening.listen(Engine, "before_cursor_execute", note)
    try:
        found = await log.histories("correlation_id", [f"quo_{number}" for number in range(50)], ALL, None, 10)
    finally:
        listening.remove(Engine, "before_cursor_execute", note)

    assert all(len(events) == 1 for events in found.values())
    assert len(statements) == 1


async def test_each_system_was_last_heard_when_its_latest_event_was_recorded(log: SqlEventLog) -> None:
    assert await log.last_recorded() == {}
    await log.append([event("a", 1, system=SourceSystem.WMS), event("b", 2, system=SourceSystem.TMS)])
    (last,) = await log.append([event("c", 0, system=SourceSystem.WMS)])

    found = await log.last_recorded()
    assert sorted(found) == [SourceSystem.TMS, SourceSystem.WMS]
    assert found[SourceSystem.WMS] == last.recorded_at > found[SourceSystem.TMS]
