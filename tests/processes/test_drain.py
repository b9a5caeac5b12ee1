"""What waits for a system is done per account in the order in which it was accepted, once the system is back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from processes.rules.turns import STANDS_ASIDE_AFTER
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ProcessState, SourceSystem
from systems.errors import Unavailable
from systems.ports import Line, Place, WaitingLines
from tests.support.mortal_scenarios import end
from tests.support.outages import ACCOUNTS, accepted, all_wait, come_back, kept_of, outage, submit, submit_all, when
from tests.support.process_world import QUICK, ProcessWorld, process_world

ROOT = Path(__file__).parents[2]
EACH = 8
WMS, ERP = SourceSystem.WMS, SourceSystem.CLOUD_ERP


async def all_end(world: ProcessWorld, processes: list[str]) -> None:
    for process_id in processes:
        assert await end(world, process_id) is ProcessState.COMPLETED


async def nobody_waits(world: ProcessWorld, *steps: str) -> bool:
    found = [await world.use.lines.places(system, steps, None, 1) for system in (WMS, ERP)]
    return found == [(), ()]


class Counted:
    """Lines that count what is asked of them, but for the look at all of them that every program takes each second."""

    def __init__(self, lines: WaitingLines) -> None:
        self._lines = lines
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._lines, name)

    async def first(self, joined_after: datetime, line: Line | None = None) -> Mapping[Line, Place]:
        if line is not None:
            self.asked.append("first")
        return await self._lines.first(joined_after, line)


async def test_while_every_system_answers_an_order_asks_nothing_about_lines(sqlite_url: str) -> None:
    async with process_world(sqlite_url) as world:
        counted = Counted(world.use.lines)
        use = replace(world.use, lines=counted)
        async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), use) as engine:
            assert await end(world, await submit(engine, "acc_1", "o-1")) is ProcessState.COMPLETED
        assert counted.asked == []


@pytest.mark.slow
async def test_releases_drain_per_account_in_the_order_of_acceptance_none_lost_or_doubled(
    database_url: str, tmp_path: Path
) -> None:
    async with outage(database_url, tmp_path / "kept.db", WMS) as (world, engine):
        ids = await submit_all(engine, EACH)
        await when(world, ids, all_wait)
        come_back(world, WMS)
        await all_end(world, ids)
        for entry in ACCOUNTS:
            orders = await accepted(world, entry)
            assert len(orders) == EACH
            assert kept_of(world, "release", orders) == orders
        assert await nobody_waits(world, "release")


@pytest.mark.slow
async def test_orders_go_to_the_erp_in_the_order_in_which_they_came_wherever_they_waited(
    database_url: str, tmp_path: Path
) -> None:
    async with outage(database_url, tmp_path / "kept.db", ERP) as (world, engine):
        ids = await submit_all(engine, 3)
        await when(world, ids, all_wait)
        come_back(world, ERP)
        await all_end(world, ids)
        for entry in ACCOUNTS:
            orders = await accepted(world, entry, "order.received")
            assert len(orders) == 3
            assert kept_of(world, "document", orders) == orders
        assert await nobody_waits(world, "price", "credit", "create", "allocate")


@pytest.mark.slow
async def test_what_a_killed_program_had_waiting_keeps_its_turn_among_that_of_others(
    database_url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.db"
    async with outage(database_url, kept, WMS) as (world, engine):
        plan = {"database": database_url, "kept": str(kept), "orders": EACH // 2, "releases": 3}
        command = (sys.executable, "-m", "tests.support.outages", json.dumps(plan))
        mortal = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        ours = await submit_all(engine, EACH // 2)
        theirs: list[str] = []
        async with asyncio.timeout(60):
            while len(theirs) < len(ours):
                places = await world.use.lines.places(WMS, ["release"], None, 100)
                theirs = [place.process_id for place in places if place.process_id not in ours]
                await asyncio.sleep(0.05)
            await when(world, [*ours, *theirs], all_wait)
            come_back(world, WMS)
            assert await mortal.wait() == -signal.SIGKILL
        await all_end(world, [*ours, *theirs])
        for entry in ACCOUNTS:
            orders = await accepted(world, entry)
            assert len(orders) == EACH
            assert kept_of(world, "release", orders) == orders


@pytest.mark.slow
async def test_a_request_that_only_its_system_cannot_take_does_not_hold_up_its_account_for_long(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with outage(sqlite_url, tmp_path / "kept.db") as (world, engine):
        release, seen = world.wms.release, list[str]()

        async def picky(request: object) -> object:
            order_id = request.order_id  # type: ignore[attr-defined]
            seen.append(order_id)
            if order_id == seen[0]:
                raise Unavailable(WMS, "release", "500", outcome_unknown=True)
            return await release(request)  # type: ignore[arg-type]

        world.wms.release = picky  # type: ignore[assignment, method-assign]
        first = await submit(engine, "acc_1", "first")
        await when(world, [first], all_wait)
        second = asyncio.create_task(submit(engine, "acc_1", "second"))
        others = 0
        while not second.done() or await end_of(world, second.result()) is None:
            others += 1
            await end(world, await submit(engine, "acc_2", f"other-{others}"))
        assert await end(world, await second) is ProcessState.COMPLETED
        assert others >= STANDS_ASIDE_AFTER
        (place,) = await world.use.lines.places(WMS, ["release"], None, 10)
        assert (place.process_id, place.aside) == (first, True)


async def end_of(world: ProcessWorld, process_id: str) -> object:
    return (await world.use.process_log.processes([process_id]))[process_id].ended_at
