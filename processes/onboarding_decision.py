"""P1 step 7: what every check found is put together, and what a person must decide is asked and waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from processes.journal import problems_to_json
from processes.onboarding_case import OnboardingCase
from processes.onboarding_tasks import DECIDE_WITHIN, open_tasks, settle_tasks
from processes.rules.onboarding_decision import open_checks
from processes.steps import DONE, Outcome, Verdict
from schema.enums import CheckResult, OnboardingStatus
from schema.events.envelope import Event
from schema.records.onboarding import ENDED, Onboarding
from schema.records.problems import Problem, ValidationFailed

__all__ = ["ESCALATE_AFTER", "WITHDRAW_AFTER", "close", "decide", "escalate", "look", "withdraw"]

ESCALATE_AFTER = DECIDE_WITHIN
"""Others hear of a decision that is not made in time."""

WITHDRAW_AFTER = timedelta(days=5)
"""An onboarding that nobody decides is withdrawn then."""

_S = OnboardingStatus
_GOES_ON = (_S.APPROVED, _S.ACTIVATING, _S.ACTIVE)


async def decide(case: OnboardingCase) -> Outcome:
    """Refuse what cannot be, approve what passed everything, and ask persons about the rest."""
    onboarding = await case.onboarding()
    if onboarding.status in _GOES_ON:
        return DONE
    failed = any(entry.result is CheckResult.FAILED for entry in onboarding.checks)
    if onboarding.status in ENDED or failed or case.findings:
        return Outcome(Verdict.REFUSED, (*case.findings, *_problems(onboarding)))
    if not open_checks(onboarding):
        now = case.use.clock.now()
        await case.change(
            lambda stored: replace(stored, status=_S.APPROVED, decided_at=now), lambda entry: [_decided(case, entry)]
        )
        return DONE
    await _ask(case, onboarding)
    return Outcome(Verdict.HELD, tuple(_problems(onboarding)))


async def look(case: OnboardingCase) -> Outcome:
    """Return what persons have decided by now."""
    onboarding = await case.onboarding()
    if onboarding.status is _S.AWAITING_DECISION:
        return Outcome(Verdict.HELD)
    return DONE if onboarding.status in _GOES_ON else Outcome(Verdict.REFUSED, onboarding.problems)


async def escalate(case: OnboardingCase) -> None:
    """Tell that nobody has decided in time."""
    onboarding = await case.onboarding()
    waiting = [kind.value for kind in open_checks(onboarding)]
    if onboarding.status is _S.AWAITING_DECISION:
        await case.use.events.append([case.news("account.onboarding.escalated", "escalated", {"checks": waiting})])


async def withdraw(case: OnboardingCase) -> None:
    """Withdraw what nobody has decided."""
    said = f"nobody has decided within {WITHDRAW_AFTER.days} days: submit it anew"
    problem = ValidationFailed(code="VALIDATION_FAILED", message=said, path=None, rule="DECISION_LAPSED")

    def changed(onboarding: Onboarding) -> Onboarding:
        if onboarding.status is not _S.AWAITING_DECISION:
            return onboarding
        return replace(onboarding, status=_S.WITHDRAWN, problems=(problem,))

    await settle_tasks(case.use, await case.change(changed, lambda entry: [_decided(case, entry)]))


async def close(case: OnboardingCase) -> None:
    """End the onboarding: refused before anything was activated, compensated after; its problems stay readable."""

    def changed(onboarding: Onboarding) -> Onboarding:
        if onboarding.status in ENDED:
            return onboarding
        status = _S.FAILED_COMPENSATED if onboarding.activations else _S.REJECTED
        now = case.use.clock.now()
        return replace(onboarding, status=status, problems=case.refusal, decided_at=onboarding.decided_at or now)

    def tell(onboarding: Onboarding) -> Sequence[Event]:
        if onboarding.status is _S.FAILED_COMPENSATED:
            facts = {"status": onboarding.status.value, "problems": problems_to_json(onboarding.problems)}
            return [case.news("account.onboarding.compensated", "compensated", facts)]
        return [_decided(case, onboarding)]

    await settle_tasks(case.use, await case.change(changed, tell))


def _problems(onboarding: Onboarding) -> list[Problem]:
    unsolved = (CheckResult.FAILED, CheckResult.NEEDS_DECISION)
    return [problem for entry in onboarding.checks if entry.result in unsolved for problem in entry.problems]


def _decided(case: OnboardingCase, onboarding: Onboarding) -> Event:
    facts = {"decision": onboarding.status.value, "status": onboarding.status.value}
    return case.news("account.onboarding.decided", f"decided:{onboarding.status.lower()}", facts)


async def _ask(case: OnboardingCase, onboarding: Onboarding) -> None:
    """Open the tasks, then show the onboarding as waiting."""
    await open_tasks(case, onboarding)
    waiting = [kind.value for kind in open_checks(onboarding)]
    await case.change(
        lambda stored: replace(stored, status=_S.AWAITING_DECISION) if stored.status is _S.VALIDATING else stored,
        lambda _: [case.news("account.onboarding.awaiting", "awaiting", {"checks": waiting})],
    )
