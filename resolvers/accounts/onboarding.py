"""Mutations of onboarding: they check who asks and how; the process decides everything else."""

from __future__ import annotations

from collections.abc import Sequence

from processes.api import MAX_WAIT_MS, Started
from processes.onboarding_tasks import CHECK_ROLES, decides
from processes.rules.onboarding_decision import Verdict
from resolvers.access import can_see, require_onboarding_rights
from resolvers.accounts.ports import AccountPorts
from resolvers.envelopes import broken_rule, check_key
from schema.graphql.errors import Forbidden
from schema.records.identity import Principal
from schema.records.onboarding import DECIDE_SCOPE, Applicant
from schema.records.problems import Problem
from schema.records.waiting import DECISION_WAIT_MS

__all__ = ["decide", "submit"]


async def submit(ports: AccountPorts, applicant: Applicant, *, key: str, wait_ms: int, principal: Principal) -> Started:
    """Start an onboarding, or say why nothing was started.

    Raises:
        Forbidden: the principal may not bring new customers.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_onboarding_rights(principal, "onboardingSubmit")
    problems = list(check_key(key))
    if not 0 <= wait_ms <= MAX_WAIT_MS:
        said = f"waitMs is {wait_ms}: use 0 to {MAX_WAIT_MS}, and a subscription for longer waits"
        problems.append(broken_rule("WAIT_MS", said, "waitMs"))
    parent_id = applicant.parent_account_id
    if parent_id is not None and not can_see(principal, parent_id):
        problems.append(broken_rule("UNKNOWN_ACCOUNT", f"account {parent_id} does not exist", "parentAccountId"))
    if problems:
        return _refused(problems)
    return await ports.starter.submit_onboarding(applicant, key=key, principal=principal, wait_ms=wait_ms)


async def decide(ports: AccountPorts, verdict: Verdict, *, key: str, principal: Principal) -> Started:
    """Decide about an onboarding, or say why nothing was decided.

    Raises:
        Forbidden: the principal decides about no check, or not about this one.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    theirs = decides(principal)
    if not theirs or (verdict.check is not None and verdict.check not in theirs):
        what = "any check" if verdict.check is None else verdict.check
        said = f"onboardingDecide: {principal.subject} does not decide about {what}, it takes {DECIDE_SCOPE} and a role"
        raise Forbidden(f"{said} of {', '.join(sorted(CHECK_ROLES))}")
    problems = list(check_key(key))
    if problems:
        return _refused(problems)
    return await ports.starter.decide_onboarding(
        verdict, key=key, principal=principal, theirs=theirs, wait_ms=DECISION_WAIT_MS
    )


def _refused(problems: Sequence[Problem]) -> Started:
    return Started(process_id=None, state=None, entity_id=None, problems=tuple(problems), replayed=False)
