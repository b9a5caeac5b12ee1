from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import OrderStatus, ProcessState
from tests.support.process_world import QUICK, REP, ProcessWorld, process_world, submission


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(database_url) as made:
        yield made


@pytest.fixture
async def starter(database_url: str, world: ProcessWorld) -> AsyncIterator[EngineStarter]:
    async with ProcessEngine(EngineSettings(database_url, retries=QUICK), world.use) as engine:
        yield EngineStarter(engine)


async def test_an_order_is_accepted_allocated_and_released(starter: EngineStarter, world: ProcessWorld) -> None:
    started = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=10_000)
    assert started.problems == ()
    assert started.entity_id is not None
    order = await world.order(started.entity_id)
    assert order.status is OrderStatus.ACCEPTED
    assert started.state in (ProcessState.RUNNING, ProcessState.COMPLETED)
