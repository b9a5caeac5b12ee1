"""Slots of programs: the lowest free one is taken, a dead one's runs are taken over, nobody runs without a slot."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from processes.slot_locks import PostgresSlotLocks, slot_locks
from processes.slots import MAX_SLOTS, NoFreeSlot, SlotLocks, SlotTimes, take_lowest
from processes.takeover import SlotKeeper
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import OrderStatus, ProcessState
from schema.events.envelope import EventFilter
from tests.support.process_world import QUICK, ProcessWorld, process_world

ROOT = Path(__file__).parents[2]
SOON = SlotTimes(beat_s=0.02, lost_s=0.3, look_s=0.05, vacant_s=0.5)
WITHIN_S = 30.0
"""The promise: a survivor carries on with a dead program's processes this soon."""


@pytest.fixture
async def locks_of(database_url: str) -> AsyncIterator[Callable[[], SlotLocks]]:
    """Makes the locks of one more program."""
    made: list[SlotLocks] = []

    def make() -> SlotLocks:
        made.append(slot_locks(database_url))
        return made[-1]

    yield make
    for locks in made:
        await locks.close()


async def test_programs_take_the_lowest_free_slots(locks_of: Callable[[], SlotLocks]) -> None:
    first, second, third = locks_of(), locks_of(), locks_of()
    assert [await take_lowest(locks) for locks in (first, second, third)] == [0, 1, 2]
    await second.close()
    assert await first.taken() == {0, 2}
    assert await take_lowest(locks_of()) == 1


async def test_a_slot_that_is_given_up_is_free_and_others_stay(locks_of: Callable[[], SlotLocks]) -> None:
    ours, other = locks_of(), locks_of()
    assert await ours.take(3)
    assert await ours.take(7)
    assert not await other.take(7)
    await ours.give_up(7)
    assert await other.take(7)
    assert await other.taken() == {3, 7}
    assert await ours.confirm(3)


async def test_when_every_slot_is_taken_the_error_says_what_to_do(locks_of: Callable[[], SlotLocks]) -> None:
    full = locks_of()
    for number in range(MAX_SLOTS):
        assert await full.take(number)
    with pytest.raises(NoFreeSlot, match="stop programs"):
        await take_lowest(locks_of())


async def _cut(url: str) -> None:
    """Cut the connections that hold slots, as a restart of the server does."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def test_a_slot_whose_connection_is_cut_is_taken_again(postgres_url: str) -> None:
    locks = PostgresSlotLocks(make_url(postgres_url))
    assert await locks.take(0)
    await _cut(postgres_url)
    assert not await locks.confirm(0)
    assert await locks.confirm(0)
    assert await locks.taken() == {0}
    await locks.close()


async def test_a_slot_that_somebody_else_took_meanwhile_is_lost_and_the_keeper_says_so_once(postgres_url: str) -> None:
    ours, other = PostgresSlotLocks(make_url(postgres_url)), PostgresSlotLocks(make_url(postgres_url))
    assert await ours.take(0)
    told: list[str] = []

    async def lost() -> None:
        told.append("lost")

    keeper = SlotKeeper(ours, 0, SOON, _NoRuns(), lost)
    await _cut(postgres_url)
    assert await other.take(0)
    async with asyncio.timeout(60):
        await keeper.run()
    assert told == ["lost"]
    for locks in (ours, other):
        await locks.close()


class _NoRuns:
    async def slots_with_runs(self, names: Any) -> frozenset[str]:
        return frozenset()

    async def runs_of(self, name: str, limit: int) -> tuple[str, ...]:
        return ()

    async def resume(self, run_ids: Any) -> None:
        raise AssertionError("there is nothing to resume")


async def test_an_engine_that_loses_its_slot_stops_its_runs_and_ends_the_program(postgres_url: str) -> None:
    thief = PostgresSlotLocks(make_url(postgres_url))
    ended, slow = asyncio.Event(), SlotTimes(beat_s=0.3, lost_s=0.3)
    async with (
        process_world(postgres_url) as world,
        ProcessEngine(EngineSettings(postgres_url, retries=QUICK, slot_times=slow), world.use, ended.set) as engine,
    ):
        assert engine.slot == 0
        async with asyncio.timeout(60):
            while not await thief.take(0):
                await _cut(postgres_url)
            await ended.wait()
    await thief.close()


# --- taking over


class _Runs:
    """Runs of one slot, as a journal would show them."""

    def __init__(self, name: str, *run_ids: str) -> None:
        self.name, self.waiting, self.resumed = name, list(run_ids), list[str]()
        self.done = asyncio.Event()

    async def slots_with_runs(self, names: Any) -> frozenset[str]:
        return frozenset({self.name} & set(names)) if self.waiting else frozenset()

    async def runs_of(self, name: str, limit: int) -> tuple[str, ...]:
        found = tuple(self.waiting[:limit]) if name == self.name else ()
        await asyncio.sleep(0)  # where another survivor would come in between
        return found

    async def resume(self, run_ids: Any) -> None:
        self.resumed += run_ids
        self.waiting = [run_id for run_id in self.waiting if run_id not in run_ids]
        if not self.waiting:
            self.done.set()


async def _never() -> None:
    raise AssertionError("nobody loses a slot here")


async def test_of_many_survivors_one_takes_a_slot_over(locks_of: Callable[[], SlotLocks]) -> None:
    runs = _Runs("slot-5", *(f"prc_{number}" for number in range(450)))
    keepers = []
    for number in range(3):
        locks = locks_of()
        assert await locks.take(number)
        keepers.append(asyncio.create_task(SlotKeeper(locks, number, SOON, runs, _never).run()))
    async with asyncio.timeout(60):
        await runs.done.wait()
    for keeper in keepers:
        keeper.cancel()
    await asyncio.gather(*keepers, return_exceptions=True)
    assert sorted(runs.resumed) == sorted({f"prc_{number}" for number in range(450)})


async def test_runs_of_a_slot_that_is_held_are_let_be(locks_of: Callable[[], SlotLocks]) -> None:
    runs, ours, other = _Runs("slot-1", "prc_1"), locks_of(), locks_of()
    assert await ours.take(0)
    assert await other.take(1)
    looks = asyncio.Event()
    counted: list[None] = []
    real = runs.slots_with_runs

    async def counting(names: Any) -> frozenset[str]:
        counted.append(None)
        if len(counted) > 20:
            looks.set()
        return await real(names)

    runs.slots_with_runs = counting  # type: ignore[method-assign]
    keeper = asyncio.create_task(SlotKeeper(ours, 0, SOON, runs, _never).run())
    async with asyncio.timeout(60):
        await looks.wait()
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    assert runs.resumed == []


@asynccontextmanager
async def _survivor(url: str, folder: Path, times: SlotTimes) -> AsyncIterator[tuple[ProcessWorld, ProcessEngine]]:
    async with (
        process_world(url, kept=folder / "kept.db") as world,
        ProcessEngine(EngineSettings(url, retries=QUICK, slot_times=times), world.use) as engine,
    ):
        yield world, engine


async def _die(url: str, folder: Path, moment: str) -> None:
    """Run a program that carries an order and is killed while it does."""
    plan = {"scenario": "order", "database": url, "kept": str(folder / "kept.db"), "kill": moment}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.mortal_child", json.dumps(plan), cwd=ROOT
    )
    async with asyncio.timeout(60):
        assert await child.wait() == -signal.SIGKILL


async def _ended(world: ProcessWorld, within_s: float) -> None:
    """Wait until the only order's process has ended, and check that everything is there once."""
    (received,) = await world.use.events.read(EventFilter(types=("order.received",)), None, 10)
    order_id = received.event.subject
    async with asyncio.timeout(within_s):
        while True:
            (process,) = (await world.use.process_log.processes_of([order_id]))[order_id]
            if process.ended_at is not None:
                break
            await asyncio.sleep(0.02)
    assert process.state is ProcessState.COMPLETED
    assert (await world.order(order_id)).status is OrderStatus.ACCEPTED
    assert world.kept.keys("document") == [f"or:{order_id}:erp"]
    assert world.kept.keys("release") == [f"or:{order_id}:rel:W01:1"]
    assert await world.held() == {}


async def test_a_survivor_carries_on_with_what_a_killed_program_left(database_url: str, tmp_path: Path) -> None:
    async with _survivor(database_url, tmp_path, SOON) as (world, engine):
        assert engine.slot == 0
        await _die(database_url, tmp_path, "answered create_order")
        await _ended(world, WITHIN_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment", ["committed reserve", "answered allocate", "answered release", "committed settle reservations"]
)
async def test_with_the_times_of_production_it_takes_less_than_thirty_seconds(
    database_url: str, tmp_path: Path, moment: str
) -> None:
    async with _survivor(database_url, tmp_path, SlotTimes()) as (world, _):
        await _die(database_url, tmp_path, moment)
        await _ended(world, WITHIN_S)


@pytest.mark.slow
async def test_a_restarted_program_has_the_slot_of_the_dead_one_before_a_survivor_wants_it(
    database_url: str, tmp_path: Path
) -> None:
    await _die(database_url, tmp_path, "answered create_order")
    async with _survivor(database_url, tmp_path, SlotTimes()) as (world, engine):
        assert engine.slot == 0
        await _ended(world, 5.0)
