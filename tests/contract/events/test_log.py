"""The event log over both databases and both buses: each event once, in order, from any cursor, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from redis.asyncio import Redis

from events.bus import Bus, MemoryBus, RedisBus
from events.log import SqlEventLog
from events.ports import CursorUnknown
from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter, StoredEvent
from systems.platform.database import Database

ALL = EventFilter()
AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def event(number: int, *, type_: str = "order.received", order: str = "ord_1", account: str = "acc_1") -> Event:
    return Event(
        id=f"or:{order}:{number}",
        source="/dist/orders",
        type=type_,
        subject=order,
        partition_key=order,
        correlation_id=order,
        system=SourceSystem.PLATFORM,
        occurred_at=AT + timedelta(seconds=number),
        data={"number": number},
        account_id=account,
    )


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "memory":
        yield MemoryBus()
        return
    redis = Redis.from_url(request.getfixturevalue("redis_url"))
    yield RedisBus(redis)
    await redis.aclose()


@pytest.fixture
def log(database: Database, bus: Bus) -> SqlEventLog:
    return SqlEventLog(database, bus)


async def take(log: SqlEventLog, count: int, where: EventFilter = ALL, after: str | None = None) -> list[StoredEvent]:
    found: list[StoredEvent] = []
    stream = log.follow(where, after)
    async with asyncio.timeout(60):
        async for stored in stream:
            found.append(stored)
            if len(found) == count:
                break
    await stream.aclose()
    return found


async def test_an_event_comes_back_as_it_was_appended(log: SqlEventLog) -> None:
    (stored,) = await log.append([event(1)])

    assert (await log.read(ALL, None, 10)) == (stored,)
    assert stored.event == event(1)
    assert stored.sequence == 1


async def test_an_event_that_is_known_is_left_out(log: SqlEventLog) -> None:
    await log.append([event(1)])

    assert [one.event.id for one in await log.append([event(1), event(2), event(2)])] == ["or:ord_1:2"]
    assert len(await log.read(ALL, None, 10)) == 2


async def test_sequences_count_per_partition(log: SqlEventLog) -> None:
    await log.append([event(1), event(1, order="ord_2"), event(2)])
    stored = await log.append([event(3), event(2, order="ord_2")])

    assert [one.sequence for one in stored] == [3, 2]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        (EventFilter(types=("order.received",)), [1]),
        (EventFilter(types=("shipment.*",)), [2, 3]),
        (EventFilter(types=("order.received", "shipment.milestone")), [1, 3]),
        (EventFilter(account_id="acc_2"), [3]),
        (EventFilter(subject="ord_1"), [1, 2]),
        (EventFilter(partition_key="ord_3"), [3]),
        (EventFilter(correlation_ids=("ord_3", "ord_9")), [3]),
        (EventFilter(types=()), []),
    ],
    ids=["a type", "a family of types", "several types", "an account", "a subject", "a partition", "a story", "none"],
)
async def test_filters_select(log: SqlEventLog, where: EventFilter, numbers: list[int]) -> None:
    await log.append(
        [
            event(1),
            event(2, type_="shipment.shipped"),
            event(3, type_="shipment.milestone", order="ord_3", account="acc_2"),
        ]
    )

    assert [one.event.data["number"] for one in await log.read(where, None, 10)] == numbers


async def test_reading_goes_on_after_a_cursor(log: SqlEventLog) -> None:
    await log.append([event(number) for number in range(5)])

    assert [one.event.data["number"] for one in await log.read(ALL, "or:ord_1:1", 2)] == [2, 3]


async def test_an_unknown_cursor_is_said_so(log: SqlEventLog) -> None:
    with pytest.raises(CursorUnknown):
        await log.read(ALL, "or:ord_1:99", 1)
    with pytest.raises(CursorUnknown):
        await anext(log.follow(ALL, "or:ord_1:99"))


async def test_following_without_a_cursor_starts_with_what_comes_next(log: SqlEventLog) -> None:
    await log.append([event(1)])
    stream = log.follow(ALL, None)
    waiting = asyncio.ensure_future(anext(stream))
    appended: list[StoredEvent] = []
    while not waiting.done():  # the follower may still be finding the end of the log
        appended += await log.append([event(2 + len(appended))])
        await asyncio.wait([waiting], timeout=0.2)

    assert (await waiting).event.data["number"] >= 2
    await stream.aclose()


async def test_followers_miss_nothing_and_see_nothing_twice_while_others_append(log: SqlEventLog) -> None:
    """Several writers, followers that start at different cursors, backlog larger than a page."""
    await log.append([event(number) for number in range(250)])

    async def write(order: str) -> None:
        for number in range(20):
            await log.append([event(number, order=order)])

    followers = [
        asyncio.create_task(take(log, 250 + 60 - skipped, after=None if not skipped else f"or:ord_1:{skipped - 1}"))
        for skipped in (1, 100, 249)
    ]
    await asyncio.gather(*(write(order) for order in ("ord_a", "ord_b", "ord_c")))
    everything = await log.read(ALL, None, 1_000)

    for skipped, follower in zip((1, 100, 249), followers, strict=True):
        assert [one.position for one in await follower] == [one.position for one in everything[skipped:]]


async def test_events_of_a_transaction_appear_with_its_commit(log: SqlEventLog, database: Database) -> None:
    stream = asyncio.create_task(take(log, 1, after=(await log.append([event(1)]))[0].event.id))
    async with database.transaction() as connection:
        await log.append_in(connection, [event(2)])
    assert [one.event.data["number"] for one in await stream] == [2]


async def test_events_of_a_transaction_that_fails_never_were(log: SqlEventLog, database: Database) -> None:
    class Stop(Exception):
        pass

    async def fail() -> None:
        async with database.transaction() as connection:
            await log.append_in(connection, [event(1)])
            raise Stop

    with pytest.raises(Stop):
        await fail()
    assert await log.read(ALL, None, 10) == ()


async def test_a_cursor_that_retention_has_passed_is_unknown(log: SqlEventLog) -> None:
    await log.append([event(1), event(2)])

    assert await log.prune(datetime.now(UTC) + timedelta(days=1), limit=1) == 1
    assert [one.event.data["number"] for one in await log.read(ALL, None, 10)] == [2]
    with pytest.raises(CursorUnknown):
        await log.read(ALL, "or:ord_1:1", 10)


async def test_redis_going_away_costs_time_and_not_events(database: Database) -> None:
    gone = Redis.from_url("redis://127.0.0.1:1/0")
    log = SqlEventLog(database, RedisBus(gone))
    (first,) = await log.append([event(1)])
    following = asyncio.create_task(take(log, 2, after=first.event.id))
    await log.append([event(2), event(3)])

    assert [one.event.data["number"] for one in await following] == [2, 3]
    await gone.aclose()


class Deaf(Redis):
    """A client that swallows the cancellation of a read, as the real one does when it comes at a bad moment."""

    async def xread(self, *args: object, **options: object) -> object:
        try:
            return await super().xread(*args, **options)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            return {}


async def test_a_follower_can_leave_even_when_redis_swallows_the_cancellation(
    database: Database, redis_url: str
) -> None:
    redis = Deaf.from_url(redis_url)
    log = SqlEventLog(database, RedisBus(redis))
    stream = log.follow(ALL, None)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        for number in count(1):  # one that was appended before the follower began is not news to it
            await log.append([event(number)])
            await asyncio.wait({waiting}, timeout=0.05)
            if waiting.done():
                break
        assert (await waiting).event.partition_key == "ord_1"
        await stream.aclose()
    await redis.aclose()
