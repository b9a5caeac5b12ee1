"""Runs of customer onboarding with a journal in memory, over the small world of processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from processes.chronicle import Desk
from processes.onboarding import CUSTOMER_ONBOARDING
from processes.onboarding_case import OnboardingCase, OnboardingRequest
from processes.rules.onboarding_decision import Verdict, apply_verdict
from processes.runner import Ending, Runner
from schema.enums import CheckKind, CheckResult, ProcessState
from schema.records.accounts import Territory
from schema.records.onboarding import Applicant, Onboarding
from tests.support.onboarding_records import applicant
from tests.support.process_world import QUICK, REP, MemoryJournal, ProcessWorld, StillWaiting

EVERY_CHECK = frozenset(CheckKind)


@dataclass
class OnboardingRun:
    """How a run went."""

    request: OnboardingRequest
    ending: Ending
    journal: MemoryJournal


def prepare(world: ProcessWorld) -> None:
    """Let the CRM know the territories and the ERP the price groups of the small world."""
    world.crm.territories_by_id = {"ter_US-C": Territory("ter_US-C", "US-C", "US Central")}
    world.erp.group_currencies = {"PG-01": {"USD"}, "PG-07": {"EUR"}}


async def run_onboarding(
    world: ProcessWorld,
    asked: Applicant | None = None,
    *,
    name: str = "1",
    journal: MemoryJournal | None = None,
    resumed: bool = False,
) -> OnboardingRun:
    """Carry a request as far as it goes."""
    request = OnboardingRequest(
        f"prc_{name}", f"onb_{name}", f"acc_n{name}", asked or applicant(), REP.subject, world.clock.now()
    )
    kept = journal or MemoryJournal()
    use = world.use
    desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
    case = OnboardingCase(request, use, resumed=resumed)
    runner = Runner(case, CUSTOMER_ONBOARDING, kept, desk, QUICK, lambda: None)
    try:
        ending = await runner.run()
    except StillWaiting:
        ending = Ending(ProcessState.WAITING_HUMAN)
    return OnboardingRun(request, ending, kept)


async def stored(world: ProcessWorld, onboarding_id: str = "onb_1") -> Onboarding:
    return (await world.use.onboardings.onboardings([onboarding_id]))[onboarding_id]


def results(onboarding: Onboarding) -> dict[CheckKind, CheckResult]:
    return {check.kind: check.result for check in onboarding.checks}


async def decided(world: ProcessWorld, by: str = "user:usr_6", onboarding_id: str = "onb_1", **changes: Any) -> None:
    """Write a decision into the ledger, as whoever decides does."""
    known = await stored(world, onboarding_id)
    verdict = replace(Verdict(onboarding_id, known.version, approve=True, comment="known to us"), **changes)
    made = apply_verdict(known, verdict, f"dec_{known.version}", by, world.clock.now(), EVERY_CHECK)
    await world.use.onboardings.update(made)
