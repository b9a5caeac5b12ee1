"""What a person's decision makes of an onboarding (process P1, step 7).

Whoever submitted does not decide. A large credit limit takes two persons, and the lower of their limits is given. A
check that is turned down ends the onboarding; when the last open one is approved, activation may begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from processes.rules.new_credit import persons_needed
from schema.enums import CheckKind, CheckResult, OnboardingStatus
from schema.records.onboarding import Onboarding, OnboardingCheck, OnboardingDecision
from schema.records.problems import (
    CreditDeclined,
    NotAllowedInState,
    Problem,
    ValidationFailed,
    VersionConflict,
)
from schema.records.values import Money

__all__ = ["MAX_COMMENT", "Verdict", "apply_verdict", "check_verdict", "open_checks", "unsolved"]

MAX_COMMENT = 2_000
"""Characters of a comment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody decides: about one check, or with None about every open one that is theirs to decide.

    ``credit_limit`` gives less credit than was asked for.
    """

    onboarding_id: str
    version: int
    approve: bool
    comment: str
    check: CheckKind | None = None
    credit_limit: Money | None = None


def open_checks(onboarding: Onboarding) -> tuple[CheckKind, ...]:
    """Return the checks that wait for a person."""
    return tuple(check.kind for check in onboarding.checks if check.result is CheckResult.NEEDS_DECISION)


def unsolved(onboarding: Onboarding) -> tuple[Problem, ...]:
    """Return why the onboarding was refused, or what waits for a person; nothing for one that goes on."""
    if onboarding.status is not OnboardingStatus.AWAITING_DECISION:
        return onboarding.problems
    waiting = open_checks(onboarding)
    return tuple(problem for check in onboarding.checks if check.kind in waiting for problem in check.problems)


def check_verdict(
    onboarding: Onboarding, verdict: Verdict, by: str, theirs: frozenset[CheckKind]
) -> tuple[Problem, ...]:
    """Return everything that stops the decision.

    Args:
        onboarding: as it is stored.
        verdict: what is decided.
        by: who decides.
        theirs: checks that this person may decide.
    """
    if onboarding.status is not OnboardingStatus.AWAITING_DECISION:
        return (
            NotAllowedInState(
                code="NOT_ALLOWED_IN_STATE",
                message=f"onboarding {onboarding.id} is {onboarding.status}: nothing waits for a decision",
                path=("onboardingId",),
                state=onboarding.status.value,
                allowed=(),
            ),
        )
    if onboarding.version != verdict.version:
        return (
            VersionConflict(
                code="VERSION_CONFLICT",
                message=f"onboarding {onboarding.id} has changed since version {verdict.version}: read it again",
                path=("version",),
                current_version=onboarding.version,
            ),
        )
    return tuple(_broken_rules(onboarding, verdict, by, theirs))


def apply_verdict(
    onboarding: Onboarding, verdict: Verdict, decision_id: str, by: str, at: datetime, theirs: frozenset[CheckKind]
) -> Onboarding:
    """Return the onboarding with a decision that nothing stops; ``check_verdict`` tells what does."""
    for kind in _decided(onboarding, verdict, theirs):
        limit = verdict.credit_limit if kind is CheckKind.CREDIT else None
        decision = OnboardingDecision(decision_id, kind, verdict.approve, by, at, verdict.comment.strip(), limit)
        onboarding = replace(onboarding, decisions=(*onboarding.decisions, decision))
        if not verdict.approve:
            onboarding = _settled(onboarding, kind, CheckResult.FAILED, decision)
        elif kind is not CheckKind.CREDIT:
            onboarding = _settled(onboarding, kind, CheckResult.OVERRIDDEN, decision)
        elif len(_approvals(onboarding)) >= persons_needed(_policy_amount(onboarding)):
            onboarding = replace(
                _settled(onboarding, kind, CheckResult.OVERRIDDEN, decision), credit_limit=_limit(onboarding)
            )
    if not verdict.approve:
        return replace(
            onboarding,
            status=OnboardingStatus.REJECTED,
            decided_at=at,
            problems=tuple(_declined(onboarding, verdict)),
        )
    if open_checks(onboarding):
        return onboarding
    return replace(onboarding, status=OnboardingStatus.APPROVED, decided_at=at)


def _broken_rules(
    onboarding: Onboarding, verdict: Verdict, by: str, theirs: frozenset[CheckKind]
) -> Iterator[ValidationFailed]:
    if by == onboarding.submitted_by:
        yield _failed("DECIDER_IS_SUBMITTER", "whoever submitted an onboarding does not decide it", "onboardingId")
    if not 0 < len(verdict.comment.strip()) <= MAX_COMMENT:
        yield _failed("COMMENT", f"a comment has 1 to {MAX_COMMENT} characters: say why", "comment")
    decided = _decided(onboarding, verdict, theirs)
    if not decided:
        waiting = ", ".join(open_checks(onboarding))
        yield _failed("CHECK_NOT_OPEN", f"{verdict.check or 'none of yours'} does not wait; {waiting} do", "check")
    if verdict.credit_limit is not None:
        yield from _broken_limit(onboarding, verdict.credit_limit, verdict, decided)
    again = any(entry.by == by for entry in _approvals(onboarding))
    if verdict.approve and CheckKind.CREDIT in decided and again:
        yield _failed("SECOND_PERSON", "you agreed to this credit already: it takes a second person", "check")


def _broken_limit(
    onboarding: Onboarding, limit: Money, verdict: Verdict, decided: Sequence[CheckKind]
) -> Iterator[ValidationFailed]:
    requested = onboarding.applicant.requested_credit
    if not verdict.approve or CheckKind.CREDIT not in decided:
        yield _failed("CREDIT_LIMIT", "a limit is given with an approval of CREDIT only", "creditLimit")
    elif requested is None or limit.currency != requested.currency or not 0 <= limit.amount <= requested.amount:
        most = "nothing" if requested is None else f"{requested.amount} {requested.currency}"
        yield _failed("CREDIT_LIMIT", f"a limit is between 0 and what was asked for, {most}", "creditLimit")


def _decided(onboarding: Onboarding, verdict: Verdict, theirs: frozenset[CheckKind]) -> list[CheckKind]:
    asked = theirs if verdict.check is None else theirs & {verdict.check}
    return [kind for kind in open_checks(onboarding) if kind in asked]


def _approvals(onboarding: Onboarding) -> list[OnboardingDecision]:
    return [entry for entry in onboarding.decisions if entry.check is CheckKind.CREDIT and entry.approve]


def _limit(onboarding: Onboarding) -> Money | None:
    """Return the lowest limit that was agreed to."""
    requested = onboarding.applicant.requested_credit
    if requested is None:
        return None
    limits = [entry.credit_limit or requested for entry in _approvals(onboarding)]
    return min(limits, key=lambda limit: limit.amount, default=requested)


def _policy_amount(onboarding: Onboarding) -> Decimal | None:
    """Return the limit that is to be given in the policy's currency, None when nobody can tell."""
    requested, limit = onboarding.applicant.requested_credit, _limit(onboarding)
    if onboarding.policy_credit is None or requested is None or limit is None or not requested.amount:
        return onboarding.policy_credit
    return onboarding.policy_credit * limit.amount / requested.amount


def _settled(onboarding: Onboarding, kind: CheckKind, result: CheckResult, decision: OnboardingDecision) -> Onboarding:
    def settled(check: OnboardingCheck) -> OnboardingCheck:
        if check.kind is not kind:
            return check
        return replace(check, result=result, decided_by=decision.by, at=decision.at, detail=decision.comment)

    return replace(onboarding, checks=tuple(settled(check) for check in onboarding.checks))


def _declined(onboarding: Onboarding, verdict: Verdict) -> Iterator[Problem]:
    turned_down = {entry.check for entry in onboarding.decisions if not entry.approve}
    for check in onboarding.checks:
        if check.kind not in turned_down:
            continue
        if check.kind is CheckKind.CREDIT:
            said = f"the credit is declined: {verdict.comment.strip()}"
            requested = onboarding.applicant.requested_credit
            yield CreditDeclined(code="CREDIT_DECLINED", message=said, path=("requestedCredit",), requested=requested)
        else:
            yield from check.problems


def _failed(rule: str, message: str, field: str) -> ValidationFailed:
    return ValidationFailed(code="VALIDATION_FAILED", message=message, path=(field,), rule=rule, field=field)
