"""A process that parked because its system stayed away goes on from whatever step an operator chooses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from events.inbox import Inbox
from processes.chronicle import Chronicle, Failure
from processes.decider import EngineDecider
from processes.decision_api import ProcessRetry, TaskResolution
from processes.rules.turns import STANDS_ASIDE_AFTER
from processes.standing import Standing
from processes.steps import DONE, Outcome, Step
from processes.turns import Turns
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ProcessState, SourceSystem
from schema.records.identity import Principal
from schema.records.problems import NotAllowedInState
from schema.records.values import PageRequest
from systems.errors import Unavailable
from tests.support.mortal_scenarios import end
from tests.support.outages import when
from tests.support.platform_records import process
from tests.support.process_world import QUICK, REP, ProcessWorld, line, process_world, submission

ATTEMPTS = 3
OPERATOR = Principal("user:usr_6", roles=("OPERATIONS",), warehouses=("*",))
WMS = SourceSystem.WMS


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(database_url) as made:
        yield made


@pytest.fixture
async def desk(database_url: str, world: ProcessWorld) -> AsyncIterator[EngineDecider]:
    settings = EngineSettings(database_url, retries=replace(QUICK, max_attempts=ATTEMPTS))
    async with ProcessEngine(settings, world.use) as engine:
        inbox = Inbox(world.database, world.use.dead_letters.put, world.use.dead_letters.remove)
        yield EngineDecider(engine, inbox)


async def parked(desk: EngineDecider, world: ProcessWorld) -> str:
    """Return an order's process that parked because the warehouse system did not answer."""
    world.script.before["release"] += [Unavailable(WMS, "release", "503", outcome_unknown=True)] * ATTEMPTS
    started = await desk.submit_order(submission(line(2)), key="o-1", principal=REP, wait_ms=10_000)
    await when(world, [str(started.process_id)], lambda states: states == [ProcessState.WAITING_HUMAN])
    return str(started.process_id)


@pytest.mark.slow
@pytest.mark.parametrize("step", [None, "release", "allocate", "create", "reserve", "price"])
async def test_it_is_retried_from_a_chosen_step_and_nothing_is_done_twice(
    desk: EngineDecider, world: ProcessWorld, step: str | None
) -> None:
    process_id = await parked(desk, world)
    order_id = process_id.replace("prc_", "ord_", 1)
    answer = await desk.retry_process(ProcessRetry(process_id, step), key="r-1", principal=OPERATOR)
    assert (answer.problems, answer.accepted) == ((), 1)
    assert await end(world, process_id) is ProcessState.COMPLETED
    assert world.kept.keys("document") == [f"or:{order_id}:erp"]
    assert world.kept.keys("allocation") == [f"or:{order_id}:alloc:1"]
    assert world.kept.keys("release") == [f"or:{order_id}:rel:W01:1"]
    assert await world.held() == {}
    types = await world.event_types(order_id)
    once = ("order.received", "order.accepted", "order.released", "order.acknowledged", "customer.notified")
    assert [types.count(name) for name in once] == [1] * len(once)
    (task,) = (await world.use.tasks.search_tasks("INTEGRATION", None, PageRequest(10))).items
    assert (task.state, task.resolution, task.resolved_by) == ("RESOLVED", "RETRY", OPERATOR.subject)


@pytest.mark.slow
async def test_it_holds_up_nobody_while_it_waits_for_a_person_and_is_taken_back_when_one_cancels(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    process_id = await parked(desk, world)
    other = await desk.submit_order(submission(line(1)), key="o-2", principal=REP, wait_ms=10_000)
    assert await end(world, str(other.process_id)) is ProcessState.COMPLETED
    (task,) = (await world.use.tasks.search_tasks("INTEGRATION", "OPEN", PageRequest(10))).items
    asked = TaskResolution(task.id, "CANCEL", "the customer does not want to wait")
    assert (await desk.resolve_task(asked, key="t-1", principal=OPERATOR)).problems == ()
    assert await end(world, process_id) is ProcessState.FAILED
    assert await world.held() == {}
    assert len(world.kept.keys("release")) == 1


@pytest.mark.slow
async def test_of_several_who_retry_it_at_once_one_does_and_the_others_are_told(
    desk: EngineDecider, world: ProcessWorld
) -> None:
    process_id = await parked(desk, world)
    asked = [
        desk.retry_process(ProcessRetry(process_id, None), key=f"r-{number}", principal=OPERATOR) for number in range(4)
    ]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.accepted for answer in answers) == [0, 0, 0, 1]
    refused = [problem for answer in answers for problem in answer.problems]
    assert [type(problem) for problem in refused] == [NotAllowedInState] * 3
    assert await end(world, process_id) is ProcessState.COMPLETED
    assert world.script.calls.count("release") == ATTEMPTS + 1


class TestOneOfTwoErps:
    """An account at home in the older ERP has its line there, whatever the other one answers."""

    STEP: Step[Any] = Step("create", SourceSystem.CLOUD_ERP, "{id}", do=lambda _: _done())

    async def standing(self, world: ProcessWorld, turns: Turns, home: SourceSystem, number: int) -> Standing:
        record = process(number)
        await world.use.process_log.start(record)
        case: Any = SimpleNamespace(
            record=record, order_id=None, account_id=f"acc_{number}", home_erp=home, resumed=False
        )
        desk: Any = SimpleNamespace(clock=world.clock)
        return Standing(case, Chronicle(case, desk), turns)

    @pytest.mark.parametrize(
        ("other", "aside"), [(SourceSystem.CLOUD_ERP, False), (SourceSystem.LEGACY_ERP, True)], ids=str
    )
    async def test_it_stands_aside_only_when_its_own_erp_does_what_others_want(
        self, world: ProcessWorld, other: SourceSystem, aside: bool
    ) -> None:
        legacy = SourceSystem.LEGACY_ERP
        turns = Turns(world.use.lines, world.clock)
        ours = await self.standing(world, turns, legacy, 1)
        theirs = await self.standing(world, turns, other, 2)
        failure = Failure.of(Unavailable(legacy, "create order", "500", outcome_unknown=False))
        await ours.failed(self.STEP, failure)
        for _ in range(STANDS_ASIDE_AFTER):
            theirs.done(self.STEP)
            await ours.failed(self.STEP, failure)
        (place,) = await world.use.lines.places(SourceSystem.CLOUD_ERP, ["create"], None, 10)
        assert place.aside is aside


async def _done() -> Outcome:
    return DONE
