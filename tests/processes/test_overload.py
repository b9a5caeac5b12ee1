"""Who comes when too much is under way is told so at once, and nothing of what was asked is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from events.audit import SqlAuditLog
from processes import starts
from processes.api import Started
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.problems import DependencyUnavailable
from systems.platform import Database
from systems.platform import keys as keys_module
from tests.support.process_world import QUICK, REP, ProcessWorld, make_world, process_world, submission

WAIT = 30_000
POOL_WAIT_S = 10.0
"""How long a program waits for a connection where nobody waits for its answer."""


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(database_url) as made:
        yield made


@pytest.fixture
async def starter(database_url: str, world: ProcessWorld) -> AsyncIterator[EngineStarter]:
    async with ProcessEngine(EngineSettings(database_url, retries=QUICK), world.use) as engine:
        yield EngineStarter(engine)


def assert_told_to_come_again(answer: Started) -> None:
    (problem,) = answer.problems
    assert isinstance(problem, DependencyUnavailable)
    assert (problem.code, problem.retryable, problem.system) == ("OVERLOADED", True, SourceSystem.PLATFORM)
    assert problem.retry_after_seconds in (1, 2)
    assert (answer.process_id, answer.entity_id, answer.replayed) == (None, None, False)


async def test_past_so_many_undecided_processes_nothing_more_is_begun(
    starter: EngineStarter, world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "MAX_UNDECIDED", 1)
    asked, answered = asyncio.Event(), asyncio.Event()
    create_order = world.erp.create_order

    async def slow(order):
        asked.set()
        await answered.wait()
        return await create_order(order)

    monkeypatch.setattr(world.erp, "create_order", slow)
    first = asyncio.create_task(starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT))
    await asked.wait()
    events = len(await world.use.events.read(EventFilter(), None, 100))
    assert_told_to_come_again(await starter.submit_order(submission(), key="o-2", principal=REP, wait_ms=WAIT))
    assert len(await world.use.events.read(EventFilter(), None, 100)) == events
    answered.set()
    assert (await first).problems == ()
    again = await starter.submit_order(submission(), key="o-2", principal=REP, wait_ms=WAIT)
    assert (again.problems, again.replayed) == ((), False)
    assert len(world.erp.documents()) == 2


async def test_requests_at_the_same_moment_do_not_slip_past_the_bound_together(
    starter: EngineStarter, world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "MAX_UNDECIDED", 2)
    calls = [starter.submit_order(submission(), key=f"o-{n}", principal=REP, wait_ms=WAIT) for n in range(6)]
    answers = await asyncio.gather(*calls)
    begun = [answer for answer in answers if answer.process_id is not None]
    assert len(begun) == 2
    for answer in answers:
        if answer not in begun:
            assert_told_to_come_again(answer)
    assert len(world.erp.documents()) == 2


async def test_a_process_that_waits_for_its_system_keeps_nobody_out(
    starter: EngineStarter, world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "MAX_UNDECIDED", 1)
    world.script.down.add(SourceSystem.CLOUD_ERP)
    for number in range(3):
        answer = await starter.submit_order(submission(), key=f"o-{number}", principal=REP, wait_ms=WAIT)
        assert answer.state is ProcessState.WAITING_SYSTEM
    world.script.down.clear()


async def test_connections_that_are_all_in_use_are_said_long_before_the_pool_gives_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "CLAIM_WAIT_S", 0.05)
    async with Database(database_url, pool_size=1) as database:
        world = make_world(database)
        async with ProcessEngine(EngineSettings(database_url, retries=QUICK), world.use) as engine:
            starter = EngineStarter(engine)
            async with database.transaction("keep it in use"):
                began = time.monotonic()
                answer = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
                assert time.monotonic() - began < POOL_WAIT_S / 2
            assert_told_to_come_again(answer)
            assert await world.use.events.read(EventFilter(), None, 10) == ()
            assert (await SqlAuditLog(database).verify()).head.number == 0
            again = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
            assert (again.problems, again.replayed) == ((), False)
        world.kept.close()
