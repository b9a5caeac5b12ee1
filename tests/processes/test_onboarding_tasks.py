"""Onboardings decided over their tasks: the same rules as over the onboarding itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from events.inbox import Inbox
from processes.authority import NotEntitled
from processes.decider import EngineDecider
from processes.decision_api import OpsAnswer, TaskResolution
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import OnboardingStatus
from schema.records.identity import Principal
from schema.records.onboarding import Applicant
from schema.records.values import Money
from tests.support.onboarding_records import applicant
from tests.support.onboarding_runs import prepare, stored
from tests.support.process_world import QUICK, REP, ProcessWorld

WITHIN_S = 20.0
SCOPES = ("onboarding:decide",)
CONTROLLER = Principal("user:cred", ("CREDIT_CONTROLLER",), SCOPES)
SECOND = Principal("user:cred2", ("FINANCE",), SCOPES)
LARGE = applicant(requested_credit=Money(Decimal("50000.00"), "USD"))
HUGE = applicant(requested_credit=Money(Decimal("150000.00"), "USD"))


@pytest.fixture
async def decider(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[EngineDecider]:
    prepare(world)
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield EngineDecider(engine, Inbox(world.database, world.use.dead_letters.put, world.use.dead_letters.remove))


async def submit(decider: EngineDecider, asked: Applicant) -> str:
    started = await decider.submit_onboarding(asked, key="ob-1", principal=REP, wait_ms=10_000)
    assert started.entity_id is not None
    return started.entity_id


async def resolve(
    decider: EngineDecider, task_id: str, who: Principal, resolution: str = "APPROVE", key: str = "t-1"
) -> OpsAnswer:
    asked = TaskResolution(task_id, resolution, "known to us")
    return await decider.resolve_task(asked, key=key, principal=who)


async def becomes(world: ProcessWorld, onboarding_id: str, status: OnboardingStatus) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            if (await stored(world, onboarding_id)).status is status:
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("resolution", "status"), [("APPROVE", OnboardingStatus.ACTIVE), ("REJECT", OnboardingStatus.REJECTED)]
)
async def test_resolving_the_task_decides_the_check(
    decider: EngineDecider, world: ProcessWorld, resolution: str, status: OnboardingStatus
):
    onboarding_id = await submit(decider, LARGE)
    task_id = f"tsk_{onboarding_id}_credit"
    assert (await resolve(decider, task_id, CONTROLLER, resolution)).problems == ()
    await becomes(world, onboarding_id, status)
    again = await resolve(decider, task_id, CONTROLLER, resolution)
    assert again.problems == ()
    assert len((await stored(world, onboarding_id)).decisions) == 1


async def test_a_large_limit_opens_a_task_for_a_second_person(decider: EngineDecider, world: ProcessWorld):
    onboarding_id = await submit(decider, HUGE)
    first, second = (f"tsk_{onboarding_id}_credit{suffix}" for suffix in ("", "_2"))
    await resolve(decider, first, CONTROLLER)
    async with asyncio.timeout(60):
        while True:
            if await world.use.tasks.tasks([second]):
                break
            await asyncio.sleep(0.01)
    await becomes(world, onboarding_id, OnboardingStatus.AWAITING_DECISION)
    (problem,) = (await resolve(decider, second, CONTROLLER, key="t-2")).problems
    assert getattr(problem, "rule", None) == "SECOND_PERSON"
    assert (await resolve(decider, second, SECOND, key="t-3")).problems == ()
    await becomes(world, onboarding_id, OnboardingStatus.ACTIVE)


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(Principal("user:x", ("CREDIT_CONTROLLER",)), id="without the scope"),
        pytest.param(Principal("user:x", ("SALES_MANAGER",), SCOPES), id="another queue's role"),
    ],
)
async def test_who_does_not_decide_the_check_does_not_resolve_its_task(
    decider: EngineDecider, world: ProcessWorld, who: Principal
):
    onboarding_id = await submit(decider, LARGE)
    with pytest.raises(NotEntitled):
        await resolve(decider, f"tsk_{onboarding_id}_credit", who)
    assert (await stored(world, onboarding_id)).decisions == ()


async def test_whoever_submitted_does_not_decide_over_the_task_either(decider: EngineDecider, world: ProcessWorld):
    onboarding_id = await submit(decider, LARGE)
    myself = Principal(REP.subject, ("CREDIT_CONTROLLER",), SCOPES)
    (problem,) = (await resolve(decider, f"tsk_{onboarding_id}_credit", myself)).problems
    assert getattr(problem, "rule", None) == "DECIDER_IS_SUBMITTER"
    (task,) = (await world.use.tasks.tasks([f"tsk_{onboarding_id}_credit"])).values()
    assert task.state == "OPEN"
