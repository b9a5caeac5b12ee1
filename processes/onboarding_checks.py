"""P1 steps 1 to 6: the request is recorded, and everything is checked that a customer must fulfil.

Each check is written into the ledger when it has its answer; a step that is done again asks only for what is missing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from processes.onboarding_case import OnboardingCase
from processes.onboarding_tasks import task_id
from processes.rules.application import check_application
from processes.rules.duplicates import (
    DUPLICATE,
    Identity,
    email_domain,
    find_candidates,
    plain_name,
    plain_number,
    plain_postal_code,
)
from processes.rules.hierarchy import MAX_DEPTH, check_parent, check_price_group
from processes.rules.new_credit import NEW_CREDIT, judge_credit
from processes.rules.tax_ids import check_registrations
from processes.rules.territory import assign_territory
from processes.steps import DONE, Outcome, Verdict
from schema.enums import AccountStatus, CheckKind, CheckResult, OnboardingStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import Account
from schema.records.onboarding import Applicant, LookalikeQuery, Onboarding, OnboardingCheck
from schema.records.problems import (
    ApprovalRequired,
    DuplicateAccount,
    DuplicateCandidate,
    Problem,
    TerritoryUnassigned,
    ValidationFailed,
)
from systems.errors import ConnectorError

__all__ = ["check", "dedupe", "receive"]

CREDIT_CONTROLLER = "CREDIT_CONTROLLER"
"""Who decides about credit."""

_KINDS: Mapping[CheckKind, SourceSystem] = {
    CheckKind.DUPLICATE: SourceSystem.PLATFORM,
    CheckKind.TAX: SourceSystem.PLATFORM,
    CheckKind.CREDIT: SourceSystem.FINANCE,
    CheckKind.TERRITORY: SourceSystem.CRM,
    CheckKind.PRICING: SourceSystem.CLOUD_ERP,
    CheckKind.HIERARCHY: SourceSystem.CRM,
}
"""Checks, and whose data each looks at."""

_PROSPECTS = (AccountStatus.PROSPECT, AccountStatus.PENDING)
_PASSED, _FAILED, _ASKS = CheckResult.PASSED, CheckResult.FAILED, CheckResult.NEEDS_DECISION


@dataclass(frozen=True, slots=True)
class _Answer:
    """How a check went, and what of the request follows from it."""

    result: CheckResult
    detail: str
    problems: tuple[Problem, ...] = ()
    follows: Mapping[str, Any] | None = None


async def receive(case: OnboardingCase) -> Outcome:
    """Record the request; its form is checked here and answered for together with everything else."""
    request = case.request
    if await case.stored() is None:
        onboarding = Onboarding(
            id=request.onboarding_id,
            version=1,
            status=OnboardingStatus.SUBMITTED,
            applicant=request.applicant,
            account_id=request.account_id,
            checks=tuple(OnboardingCheck(kind, system) for kind, system in _KINDS.items()),
            submitted_by=request.submitted_by,
            submitted_at=request.submitted_at,
            process_id=request.process_id,
        )
        facts = {"status": onboarding.status.value, "legalName": request.applicant.legal_name}
        told = case.news("account.onboarding.submitted", "submitted", facts)
        await case.use.onboardings.create(onboarding, [replace(told, actor=request.submitted_by)])
    return Outcome(Verdict.DONE, tuple(check_application(request.applicant)))


async def dedupe(case: OnboardingCase) -> Outcome:
    """Look whether the applicant is an account already, or is being onboarded."""
    await case.change(lambda entry: replace(entry, status=_validating(entry.status)))
    await _settle(case, {CheckKind.DUPLICATE: _duplicate})
    return DONE


async def check(case: OnboardingCase) -> Outcome:
    """Check tax, credit, territory, prices and hierarchy at the same time."""
    await _settle(
        case,
        {
            CheckKind.TAX: _tax,
            CheckKind.CREDIT: _credit,
            CheckKind.TERRITORY: _territory,
            CheckKind.PRICING: _pricing,
            CheckKind.HIERARCHY: _hierarchy,
        },
    )
    return DONE


async def _settle(
    case: OnboardingCase, checks: Mapping[CheckKind, Callable[[OnboardingCase], Awaitable[_Answer]]]
) -> None:
    """Ask what is not answered yet, write down what was, and fail when something was not.

    Raises:
        ConnectorError: of the first system that did not answer.
    """
    stored = await case.onboarding()
    pending = {entry.kind for entry in stored.checks if entry.result is CheckResult.PENDING}
    kinds = [kind for kind in checks if kind in pending]
    answers = await asyncio.gather(*(checks[kind](case) for kind in kinds), return_exceptions=True)
    given = {kind: answer for kind, answer in zip(kinds, answers, strict=True) if isinstance(answer, _Answer)}
    if given:
        await _write(case, given)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def _write(case: OnboardingCase, answers: Mapping[CheckKind, _Answer]) -> None:
    now = case.use.clock.now()

    def answered(entry: OnboardingCheck) -> OnboardingCheck:
        answer = answers.get(entry.kind)
        if answer is None or entry.result is not CheckResult.PENDING:
            return entry
        return replace(entry, result=answer.result, detail=answer.detail, problems=answer.problems, at=now)

    def changed(onboarding: Onboarding) -> Onboarding:
        follows = {name: value for answer in answers.values() for name, value in (answer.follows or {}).items()}
        return replace(onboarding, checks=tuple(answered(entry) for entry in onboarding.checks), **follows)

    def tell(_: Onboarding) -> Sequence[Event]:
        return [
            case.news(
                "account.onboarding.checked",
                kind.lower(),
                {"check": kind.value, "result": answer.result.value, "system": _KINDS[kind].value},
            )
            for kind, answer in answers.items()
        ]

    await case.change(changed, tell)


def _validating(status: OnboardingStatus) -> OnboardingStatus:
    return OnboardingStatus.VALIDATING if status is OnboardingStatus.SUBMITTED else status


# --- the checks


async def _duplicate(case: OnboardingCase) -> _Answer:
    applicant = case.applicant
    me = _identity(applicant)
    other = await case.use.onboardings.claim(case.request.onboarding_id, _marks(applicant, me))
    if other is not None:
        said = f"onboarding {other} is open for the same applicant: wait for its end"
        problem = ValidationFailed(
            code="VALIDATION_FAILED", message=said, path=("legalName",), rule="ONBOARDING_OPEN", field="legalName"
        )
        return _Answer(_FAILED, said, (problem,))
    prospect = await _prospect(case)
    if prospect is not None and prospect.status not in _PROSPECTS:
        candidate = DuplicateCandidate(prospect.id, DUPLICATE, ("CRM_ACCOUNT",))
        return _found(CheckResult.FAILED, (candidate,))
    known = await _known(case, applicant, me)
    follows = None
    if prospect is not None:
        known.pop(prospect.id, None)
        follows = {"account_id": prospect.id}
    known.pop((await case.onboarding()).account_id, None)
    candidates = find_candidates(me, known)
    if not candidates:
        return _Answer(_PASSED, "no account is like this one", follows=follows)
    result = _FAILED if candidates[0].score >= DUPLICATE else _ASKS
    return replace(_found(result, candidates), follows=follows)


def _found(result: CheckResult, candidates: tuple[DuplicateCandidate, ...]) -> _Answer:
    best = candidates[0]
    is_certain = result is CheckResult.FAILED
    said = f"the applicant {'is' if is_certain else 'may be'} account {best.account_id}"
    problem = DuplicateAccount(
        code="DUPLICATE_ACCOUNT",
        message=f"{said}: {'use that account' if is_certain else 'a person looks'}",
        path=("legalName",),
        candidates=candidates,
    )
    return _Answer(result, f"{said}, by {', '.join(best.matched_on)}", (problem,))


async def _prospect(case: OnboardingCase) -> Account | None:
    """Return the account that the CRM's record of the applicant is, None when the platform has none."""
    wanted = case.applicant.crm_account_id
    return None if wanted is None else await case.use.crm.account_by_ref(wanted)


async def _known(case: OnboardingCase, applicant: Applicant, me: Identity) -> dict[str, Identity]:
    """Return what CRM and ERP know of accounts that have something in common with the applicant."""
    domain = next(iter(me.email_domains), None)
    starts = tuple({name.split()[0] for name in _names(applicant) if name.split()})
    query = LookalikeQuery(starts, applicant.billing.postal_code, domain)
    lookalikes, traces = await asyncio.gather(
        case.use.crm.lookalikes(query), case.use.erp.traces(sorted(me.tax_numbers), sorted(me.glns))
    )
    found: dict[str, Identity] = defaultdict(Identity)
    for entry in lookalikes:
        if entry.status is not AccountStatus.MERGED:
            found[entry.account_id] = Identity(
                names=frozenset(plain_name(name) for name in entry.names),
                postal_code=None if entry.postal_code is None else plain_postal_code(entry.postal_code),
                email_domains=frozenset(entry.email_domains),
            )
    for trace in traces:
        numbers, glns = frozenset(trace.tax_numbers), frozenset(trace.glns)
        found[trace.account_id] = replace(found[trace.account_id], tax_numbers=numbers, glns=glns)
    return found


def _names(applicant: Applicant) -> list[str]:
    return [name for name in (applicant.legal_name, applicant.trade_name) if name]


def _identity(applicant: Applicant) -> Identity:
    places = (applicant.billing, *applicant.ship_tos)
    numbers = (plain_number(entry.number) for entry in applicant.tax_registrations)
    domain = email_domain(applicant.contact_email)
    return Identity(
        names=frozenset(plain for name in _names(applicant) if (plain := plain_name(name))),
        postal_code=plain_postal_code(applicant.billing.postal_code) or None,
        tax_numbers=frozenset(number for number in numbers if number),
        glns=frozenset(place.gln for place in places if place.gln),
        email_domains=frozenset() if domain is None else frozenset({domain}),
    )


def _marks(applicant: Applicant, me: Identity) -> list[str]:
    """Return what no two open onboardings have in common."""
    name = plain_name(applicant.legal_name)
    crm = applicant.crm_account_id
    return [
        f"name:{name[:200]}|{(me.postal_code or '')[:20]}",
        *(f"tax:{number[:40]}" for number in me.tax_numbers),
        *(() if crm is None else (f"crm:{crm[:15]}",)),
    ]


async def _tax(case: OnboardingCase) -> _Answer:
    applicant = case.applicant
    today = case.use.clock.now().date()
    problems = tuple(check_registrations(applicant.tax_registrations, applicant.ship_tos, today))
    if problems:
        return _Answer(_FAILED, "; ".join(problem.message for problem in problems), problems)
    return _Answer(_PASSED, "every number can be one, exemptions hold where goods go")


async def _credit(case: OnboardingCase) -> _Answer:
    requested = case.applicant.requested_credit
    verdict = judge_credit(requested, await _policy_rate(case))
    follows = {"policy_credit": verdict.amount}
    if verdict.is_automatic:
        granted = requested if requested is not None and requested.amount > 0 else None
        return _Answer(_PASSED, verdict.detail, follows={**follows, "credit_limit": granted})
    problem = ApprovalRequired(
        code="APPROVAL_REQUIRED",
        message=verdict.detail,
        path=("requestedCredit",),
        level=CREDIT_CONTROLLER,
        reason=verdict.detail,
        task_id=task_id(case.request.onboarding_id, CheckKind.CREDIT),
    )
    return _Answer(_ASKS, verdict.detail, (problem,), follows)


async def _policy_rate(case: OnboardingCase) -> Decimal | None:
    """Return what one of the currency is worth in the policy's; None when nobody tells, so that a person decides."""
    currency, now = case.applicant.currency, case.use.clock.now()
    if currency == NEW_CREDIT.currency:
        return Decimal(1)
    try:
        return await case.use.erp.exchange_rate(currency, NEW_CREDIT.currency, now.date())
    except ConnectorError:
        if case.attempt == 1:
            raise
        return None


async def _territory(case: OnboardingCase) -> _Answer:
    applicant = case.applicant
    if not applicant.ship_tos:
        return _Answer(_FAILED, "there is no place of delivery")
    found = assign_territory(_names(applicant), applicant.ship_tos, case.use.territories)
    if not isinstance(found, TerritoryUnassigned):
        territory_id = found.territory_id
        if territory_id in await case.use.crm.territories([territory_id]):
            follows = {"territory_id": territory_id, "owner_id": found.owner_id}
            return _Answer(_PASSED, f"territory {territory_id}, owner {found.owner_id}", follows=follows)
        place = applicant.ship_tos[0]
        found = TerritoryUnassigned(
            code="TERRITORY_UNASSIGNED",
            message=f"the CRM has no territory {territory_id}: a person assigns the territory",
            path=("shipTo",),
            country=place.country,
            postal_code=place.postal_code,
        )
    return _Answer(_ASKS, found.message, (found,))


async def _pricing(case: OnboardingCase) -> _Answer:
    group, currency = case.applicant.price_group, case.applicant.currency
    if group is None:
        return _Answer(_PASSED, "buys at the parent's or at list prices")
    problem = check_price_group(group, currency, has_prices=await case.use.erp.group_has_prices(group, currency))
    if problem is not None:
        return _Answer(_FAILED, problem.message, (problem,))
    return _Answer(_PASSED, f"price group {group} has prices in {currency}")


async def _hierarchy(case: OnboardingCase) -> _Answer:
    parent_id = case.applicant.parent_account_id
    if parent_id is None:
        return _Answer(_PASSED, "stands on its own")
    above: list[Account] = []
    wanted: str | None = parent_id
    while wanted is not None and len(above) < MAX_DEPTH:
        found = (await case.use.crm.accounts([wanted])).get(wanted)
        if found is None:
            break
        above.append(found)
        wanted = found.parent_id
    terms = (await case.use.erp.terms([parent_id])).get(parent_id)
    problem = check_parent(parent_id, case.account_id, above, terms, case.applicant.currency)
    if problem is not None:
        return _Answer(_FAILED, problem.message, (problem,))
    return _Answer(_PASSED, f"stands below {parent_id}, level {len(above) + 1}")
