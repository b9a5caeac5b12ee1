"""Decisions of persons about onboardings, written into the ledger; the process that waits goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from processes.authority import NotEntitled
from processes.dependencies import Dependencies
from processes.onboarding_case import MAX_WRITES, onboarding_event
from processes.onboarding_tasks import (
    CHECK_ROLES,
    ask_a_second_person,
    asked_about,
    decides,
    settle_tasks,
)
from processes.order_checks import failed
from processes.rules.onboarding_decision import Verdict, apply_verdict, check_verdict
from schema.enums import CheckKind, SourceSystem
from schema.events.envelope import Event
from schema.records.identity import Principal
from schema.records.onboarding import DECIDE_SCOPE, Onboarding
from schema.records.operations import ExceptionTask
from schema.records.problems import Problem
from systems.errors import Conflict

__all__ = ["Recorded", "decide_by_task", "record_verdict"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a decision; ``is_known`` when it was written before. Without an onboarding there is none."""

    onboarding: Onboarding | None
    problems: tuple[Problem, ...] = ()
    is_known: bool = False


async def record_verdict(
    use: Dependencies, verdict: Verdict, decision_id: str, by: str, theirs: frozenset[CheckKind]
) -> Recorded:
    """Write a decision and its events in one commit, once per id, or say what stops it.

    Raises:
        Conflict: others kept writing in between.
        ConnectorError: the platform's own ledger does not answer.
    """
    wanted = verdict.onboarding_id
    for _ in range(MAX_WRITES):
        onboarding = (await use.onboardings.onboardings([wanted])).get(wanted)
        if onboarding is None:
            return Recorded(
                None, (failed("UNKNOWN_ONBOARDING", f"onboarding {wanted} does not exist", "onboardingId"),)
            )
        if any(entry.id == decision_id for entry in onboarding.decisions):
            await settle_tasks(use, onboarding)
            return Recorded(onboarding, is_known=True)
        problems = check_verdict(onboarding, verdict, by, theirs)
        if problems:
            return Recorded(onboarding, problems)
        decided = apply_verdict(onboarding, verdict, decision_id, by, use.clock.now(), theirs)
        try:
            written = await use.onboardings.update(decided, _events(decided, decision_id, use))
        except Conflict:
            continue
        await settle_tasks(use, written)
        return Recorded(written)
    raise Conflict(SourceSystem.PLATFORM, "decide onboarding", f"onboarding {wanted} changed {MAX_WRITES} times")


async def decide_by_task(
    use: Dependencies, task: ExceptionTask, decision_id: str, comment: str, principal: Principal, *, approve: bool
) -> tuple[Problem, ...]:
    """Decide the check that a task asks about, as its resolution says; return what stops it.

    Raises:
        NotEntitled: the principal does not decide about this check.
        ConnectorError: the platform's own ledger does not answer.
    """
    about = asked_about(task)
    if about is None:
        return ()
    onboarding_id, kind = about
    if kind not in decides(principal):
        roles = frozenset(role for role, kinds in CHECK_ROLES.items() if kind in kinds)
        raise NotEntitled(f"deciding about {kind} with the scope {DECIDE_SCOPE}", roles)
    found = (await use.onboardings.onboardings([onboarding_id])).get(onboarding_id)
    version = 0 if found is None else found.version
    verdict = Verdict(onboarding_id, version, approve, comment, kind)
    recorded = await record_verdict(use, verdict, decision_id, principal.subject, frozenset({kind}))
    if recorded.onboarding is not None and not recorded.problems and approve:
        await ask_a_second_person(use, recorded.onboarding, kind)
    return recorded.problems


def _events(onboarding: Onboarding, decision_id: str, use: Dependencies) -> Sequence[Event]:
    """Return an event per check that was decided; comments stay in the ledger."""
    told = []
    for entry in onboarding.decisions:
        if entry.id != decision_id:
            continue
        facts = {
            "check": entry.check.value,
            "decision": "APPROVED" if entry.approve else "REJECTED",
            "status": onboarding.status.value,
        }
        key = f"decided:{decision_id}:{entry.check.lower()}"
        event = onboarding_event(
            onboarding.id, onboarding.account_id, "account.onboarding.decided", key, facts, use.clock.now()
        )
        told.append(replace(event, actor=entry.by, manual=True))
    return told
