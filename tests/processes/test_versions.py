"""Versions of processes side by side: this one goes on with runs of earlier ones, and leaves those it does not know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from dbos import DBOS

from processes.engine_settings import EARLIER_VERSIONS, PROCESS_VERSION
from processes.slot_locks import slot_locks
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ProcessState, SourceSystem
from tests.support.mortal_scenarios import end
from tests.support.outages import all_wait, when
from tests.support.process_world import QUICK, REP, ProcessWorld, process_world, submission

WMS = SourceSystem.WMS


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(database_url) as made:
        yield made


@asynccontextmanager
async def engine_of(version: str, url: str, world: ProcessWorld) -> AsyncIterator[ProcessEngine]:
    settings = EngineSettings(url, version=version, retries=QUICK)
    async with ProcessEngine(settings, world.use) as engine:
        yield engine


async def left_waiting(version: str, url: str, world: ProcessWorld) -> str:
    """Return a process that a program of a version began, and left waiting for the warehouse system."""
    world.script.down.add(WMS)
    async with engine_of(version, url, world) as engine:
        starter = EngineStarter(engine)
        started = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=30_000)
        await when(world, [str(started.process_id)], all_wait)
    world.script.down.clear()
    return str(started.process_id)


async def run_of(process_id: str) -> tuple[str, str | None]:
    found = await DBOS.get_workflow_status_async(process_id)
    assert found is not None
    return found.status, found.app_version


@pytest.mark.slow
@pytest.mark.parametrize("version", EARLIER_VERSIONS)
async def test_what_a_program_of_an_earlier_version_began_goes_on_under_this_one(
    database_url: str, world: ProcessWorld, version: str
) -> None:
    process_id = await left_waiting(version, database_url, world)
    async with engine_of(PROCESS_VERSION, database_url, world):
        assert await end(world, process_id) is ProcessState.COMPLETED
        assert (await run_of(process_id))[1] == PROCESS_VERSION


@pytest.mark.slow
@pytest.mark.parametrize("older", EARLIER_VERSIONS)
async def test_a_program_of_an_earlier_version_leaves_what_this_one_began_to_a_program_that_knows_it(
    database_url: str, world: ProcessWorld, older: str
) -> None:
    process_id = await left_waiting(PROCESS_VERSION, database_url, world)
    async with engine_of(older, database_url, world) as engine:
        assert engine.slot == 0
        given = submission(account_id="acc_2", ship_to_id="shp_2")
        mine = await EngineStarter(engine).submit_order(given, key="o-2", principal=REP, wait_ms=30_000)
        assert await end(world, str(mine.process_id)) is ProcessState.COMPLETED
        assert await run_of(process_id) == ("ENQUEUED", PROCESS_VERSION)
    others = slot_locks(database_url)
    try:
        assert await others.take(0)
        async with engine_of(PROCESS_VERSION, database_url, world) as engine:
            assert engine.slot == 1
            assert await end(world, process_id) is ProcessState.COMPLETED
    finally:
        await others.close()
