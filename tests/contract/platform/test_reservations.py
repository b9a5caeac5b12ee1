"""Soft reservations: nothing is held twice, whoever asks at the same time."""

from __future__ import annotations

import asyncio
import itertools
import random
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from schema.enums import ReservationStatus
from schema.records.inventory import Reservation, ReserveLine
from systems.errors import Rejected
from systems.platform import Database, PlatformReservationLedger
from systems.platform.tables import reservation_balances
from tests.support.platform_records import HOUR, NOW, RecordedEvents, event, reserve_line

VALVE = ("VLV-0007", "W01")
D = Decimal


@pytest.fixture
def ledger(database: Database, events: RecordedEvents) -> PlatformReservationLedger:
    return PlatformReservationLedger(database, events.append)


async def reserve(
    ledger: PlatformReservationLedger, key: str, *lines: ReserveLine, hours: int = 1, now: Any = NOW, **rest: Any
) -> tuple[tuple[Reservation, ...], tuple[ReserveLine, ...]]:
    return await ledger.reserve(key, "acc_1", lines, NOW + hours * HOUR, now, **rest)


async def balance(database: Database, position: tuple[str, str] = VALVE) -> Decimal:
    table = reservation_balances
    async with database.reading() as connection:
        found = await connection.execute(
            select(table.c.held).where(table.c.sku == position[0], table.c.warehouse_code == position[1])
        )
        held: Decimal = found.scalar_one()
        return held


async def test_the_last_five_are_held_once(ledger: PlatformReservationLedger, database: Database):
    held, short = await reserve(ledger, "k1", reserve_line(5))
    assert (len(held), short) == (1, ())
    assert (held[0].status, held[0].quantity, held[0].expires_at) == (ReservationStatus.HELD, D(5), NOW + HOUR)
    assert await reserve(ledger, "k2", reserve_line(1)) == ((), (reserve_line(1),))
    assert await ledger.reserved(["VLV-0007", "X"], NOW) == {VALVE: D(5)}
    assert await balance(database) == 5


@pytest.mark.parametrize("pieces", [pytest.param(1, id="one by one"), pytest.param(2, id="in pairs")])
async def test_a_hundred_at_once_never_hold_more_than_there_is(database_url: str, events: RecordedEvents, pieces: int):
    async with Database(database_url) as one, Database(database_url) as other:
        ledgers = [PlatformReservationLedger(one, events.append), PlatformReservationLedger(other, events.append)]
        outcomes = await asyncio.gather(
            *(reserve(ledgers[turn % 2], f"k{turn}", reserve_line(pieces)) for turn in range(100))
        )
        winners = [held for held, short in outcomes if held]
        assert len(winners) == 5 // pieces
        assert all(not held and len(short) == 1 for held, short in outcomes if short)
        assert await balance(one) == len(winners) * pieces
        assert await ledgers[0].reserved(["VLV-0007"], NOW) == {VALVE: D(len(winners) * pieces)}


async def test_orders_over_the_same_items_in_any_order_never_block_each_other(
    database_url: str, events: RecordedEvents
):
    dice = random.Random(7)
    skus = [f"s{number}" for number in range(4)]
    async with Database(database_url) as one, Database(database_url) as other:
        ledgers = [PlatformReservationLedger(one, events.append), PlatformReservationLedger(other, events.append)]

        async def buy(turn: int) -> int:
            chosen = dice.sample(skus, 3)
            lines = [reserve_line(1, 10, number=place, sku=sku) for place, sku in enumerate(chosen)]
            held, _ = await reserve(ledgers[turn % 2], f"k{turn}", *lines)
            if turn % 3 == 0:
                await ledgers[(turn + 1) % 2].release([entry.id for entry in held])
                return 0
            return len(held)

        held = sum(await asyncio.gather(*(buy(turn) for turn in range(60))))
        reserved = await ledgers[0].reserved(skus, NOW)
        assert sum(reserved.values()) == held
        for sku in skus:
            assert await balance(one, (sku, "W01")) == reserved.get((sku, "W01"), D(0)) <= 10


async def test_all_lines_or_none(ledger: PlatformReservationLedger, events: RecordedEvents):
    plenty, scarce = reserve_line(1, 100, number=1, sku="a"), reserve_line(6, 5, number=2, sku="b")
    assert await reserve(ledger, "k1", plenty, scarce, events=[event("e1")]) == ((), (scarce,))
    assert await ledger.reserved(["a", "b"], NOW) == {}
    assert events.ids == []


async def test_every_line_that_is_short_is_told_in_their_order(ledger: PlatformReservationLedger):
    lines = [reserve_line(6, 5, number=number, sku=sku) for number, sku in ((1, "z"), (2, "a"))]
    assert (await reserve(ledger, "k1", *lines))[1] == tuple(lines)


async def test_a_key_that_was_short_may_try_again(ledger: PlatformReservationLedger):
    assert (await reserve(ledger, "k1", reserve_line(6, 5)))[0] == ()
    assert len((await reserve(ledger, "k1", reserve_line(6, 6)))[0]) == 1


async def test_repeating_a_key_finds_what_it_reserved(
    ledger: PlatformReservationLedger, database: Database, events: RecordedEvents
):
    first = await reserve(ledger, "k1", reserve_line(3), events=[event("e1")])
    again = await reserve(ledger, "k1", reserve_line(3), events=[event("e1")])
    assert first == again
    assert (await balance(database), events.ids) == (D(3), ["e1"])


async def test_repeating_a_key_at_the_same_time_reserves_once(ledger: PlatformReservationLedger, database: Database):
    outcomes = await asyncio.gather(*(reserve(ledger, "k1", reserve_line(1)) for _ in range(10)))
    assert len(set(outcomes)) == 1
    assert await balance(database) == 1


async def test_one_line_may_come_from_two_warehouses(ledger: PlatformReservationLedger):
    held, _ = await reserve(ledger, "k1", reserve_line(2), reserve_line(3, code="W02"))
    assert [(entry.warehouse_code, entry.quantity) for entry in held] == [("W01", D(2)), ("W02", D(3))]
    assert await reserve(ledger, "k1") == (held, ())


async def test_a_reservation_whose_event_cannot_be_told_holds_nothing(
    ledger: PlatformReservationLedger, events: RecordedEvents
):
    events.failure = RuntimeError("log is full")
    with pytest.raises(RuntimeError):
        await reserve(ledger, "k1", reserve_line(1), events=[event("e1")])
    assert await ledger.reserved(["VLV-0007"], NOW) == {}


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([reserve_line(0)], id="nothing"),
        pytest.param([reserve_line(-1)], id="less than nothing"),
        pytest.param([reserve_line(1), reserve_line(1)], id="a line twice at one place"),
        pytest.param([reserve_line("0.0000001")], id="finer than the ledger counts"),
    ],
)
async def test_lines_that_make_no_sense_are_rejected(ledger: PlatformReservationLedger, lines: list[ReserveLine]):
    with pytest.raises(Rejected):
        await reserve(ledger, "k1", *lines)
    assert await ledger.reserved(["VLV-0007"], NOW) == {}


async def test_fractions_are_held_exactly(ledger: PlatformReservationLedger):
    for turn in range(3):
        held, _ = await reserve(ledger, f"k{turn}", reserve_line("0.1", "0.3"))
        assert held
    assert await ledger.reserved(["VLV-0007"], NOW) == {VALVE: D("0.3")}
    assert (await reserve(ledger, "k9", reserve_line("0.000001", "0.3")))[0] == ()


async def test_an_overdue_reservation_holds_nothing_any_more(ledger: PlatformReservationLedger, database: Database):
    await reserve(ledger, "k1", reserve_line(5), hours=1)
    later = NOW + HOUR
    assert await ledger.reserved(["VLV-0007"], later) == {}
    held, _ = await reserve(ledger, "k2", reserve_line(5), hours=2, now=later)
    assert len(held) == 1
    assert await balance(database) == 5
    (old,) = await ledger.settle("k1", ReservationStatus.RELEASED)
    assert (old.status, await balance(database)) == (ReservationStatus.EXPIRED, D(5))


async def test_expiry_gives_back_once_and_in_portions(ledger: PlatformReservationLedger, database: Database):
    for turn in range(3):
        await reserve(ledger, f"k{turn}", reserve_line(1), hours=turn + 1)
    later = NOW + 2 * HOUR
    assert [entry.key for entry in await ledger.expire(later, 1)] == ["k0"]
    expired = await asyncio.gather(*(ledger.expire(later, 10) for _ in range(4)))
    assert [entry.key for batch in expired for entry in batch] == ["k1"]
    assert await balance(database) == 1


@pytest.mark.parametrize("status", [ReservationStatus.CONSUMED, ReservationStatus.RELEASED])
async def test_settling_gives_back_exactly_once(
    ledger: PlatformReservationLedger, database: Database, status: ReservationStatus
):
    await reserve(ledger, "k1", reserve_line(2, sku="a"), reserve_line(3, number=2))
    outcomes = await asyncio.gather(*(ledger.settle("k1", status) for _ in range(4)))
    assert {entry.status for outcome in outcomes for entry in outcome} == {status}
    assert [len(outcome) for outcome in outcomes] == [2, 2, 2, 2]
    assert await balance(database) == 0
    other = {ReservationStatus.CONSUMED: ReservationStatus.RELEASED}.get(status, ReservationStatus.CONSUMED)
    assert {entry.status for entry in await ledger.settle("k1", other)} == {status}


async def test_settling_an_unknown_key_does_nothing(ledger: PlatformReservationLedger):
    assert await ledger.settle("k9", ReservationStatus.CONSUMED) == ()


@pytest.mark.parametrize("status", [ReservationStatus.HELD, ReservationStatus.EXPIRED])
async def test_only_the_ledger_itself_holds_and_expires(ledger: PlatformReservationLedger, status: ReservationStatus):
    with pytest.raises(Rejected, match="use CONSUMED or RELEASED"):
        await ledger.settle("k1", status)


async def test_releasing_by_id(ledger: PlatformReservationLedger, database: Database):
    (mine,), _ = await reserve(ledger, "k1", reserve_line(2))
    (other,), _ = await reserve(ledger, "k2", reserve_line(3))
    released = await ledger.release([mine.id, mine.id, "rsv_unknown"])
    assert [(entry.id, entry.status) for entry in released] == [(mine.id, ReservationStatus.RELEASED)]
    assert [entry.status for entry in await ledger.release([mine.id])] == [ReservationStatus.RELEASED]
    assert await balance(database) == 3
    found = await ledger.reservations([mine.id, other.id, "x"])
    assert {key: entry.status for key, entry in found.items()} == {
        mine.id: ReservationStatus.RELEASED,
        other.id: ReservationStatus.HELD,
    }


RUNS = itertools.count()
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "reserve", "consume", "release", "by id", "expire", "wait"]),
        st.integers(1, 3),
        st.sampled_from([D(3), D(2), D("2.5")]),
    ),
    min_size=4,
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
async def test_whatever_is_done_in_whatever_order_no_more_is_held_than_there_is_and_nothing_leaks(
    ledger: PlatformReservationLedger, database: Database, acts: list[tuple[str, int, Decimal]]
):
    run = next(RUNS)  # the ledger stays as the run before has left it
    sku, limit, now = f"SKU-{run}", D(5), NOW
    held: dict[str, tuple[Decimal, datetime]] = {}
    used: set[str] = set()
    for act, number, quantity in acts:
        key, line = f"{run}:{number}", reserve_line(str(quantity), str(limit), sku=sku)
        if act == "reserve":
            now_held = sum((kept for kept, ends in held.values() if ends > now), D(0))
            got, short = await ledger.reserve(key, "acc_1", [line], now + HOUR, now)
            fits = now_held + quantity <= limit
            assert (bool(got), bool(short)) == (key in used or fits, key not in used and not fits)
            if got and key not in used:
                used.add(key)
                held[key] = (quantity, now + HOUR)
        elif act in ("consume", "release"):
            await ledger.settle(key, ReservationStatus.CONSUMED if act == "consume" else ReservationStatus.RELEASED)
            held.pop(key, None)
        elif act == "by id":
            await ledger.release([f"rsv_{key}:1:W01"])
            held.pop(key, None)
        elif act == "expire":
            await ledger.expire(now, number)
        else:
            now += HOUR
        expected = sum((kept for kept, ends in held.values() if ends > now), D(0))
        assert (await ledger.reserved([sku], now)).get((sku, "W01"), D(0)) == expected <= limit
    await ledger.expire(now, 100)
    if used:
        assert await balance(database, (sku, "W01")) == expected
