"""P1 step 8: the customer comes to be in ERP, finance and CRM, in this order, or is taken back everywhere.

What the systems are given carries platform ids that follow from the onboarding's, so doing a step again finds what it
did before. Nothing is ever deleted: what is taken back is blocked, or a prospect again. The ERP of this deployment is
its finance system too, so billing is opened and blocked on the customer's card there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from processes.onboarding_case import OnboardingCase
from processes.rules.tax_ids import jurisdiction_of
from processes.steps import DONE, Outcome, Verdict
from schema.enums import AccountStatus, OnboardingStatus, SourceSystem
from schema.records.onboarding import (
    BillingTerms,
    NewAccount,
    NewCustomer,
    NewShipTo,
    Onboarding,
    SystemActivation,
)
from schema.records.problems import ValidationFailed
from systems.errors import Rejected

__all__ = [
    "activate_crm",
    "activate_erp",
    "activate_finance",
    "block_customer",
    "close_billing",
    "finish",
    "to_prospect",
]

ON_CREDIT = "NET30"
PREPAID = "PREPAID"
"""Payment terms of a new customer with and without a credit limit, in the words of the ERP."""

_ERP, _FINANCE, _CRM = SourceSystem.CLOUD_ERP, SourceSystem.FINANCE, SourceSystem.CRM


async def activate_erp(case: OnboardingCase) -> Outcome:
    """Create the customer in the ERP, blocked for invoices until billing is open."""
    onboarding = await case.change(lambda stored: replace(stored, status=OnboardingStatus.ACTIVATING))
    customer = replace(_customer(onboarding), price_group=await _price_group(case))

    async def create() -> str:
        return (await case.use.erp.create_customer(customer)).number

    return await _activate(case, _ERP, create)


async def activate_finance(case: OnboardingCase) -> Outcome:
    """Open billing with terms and limit."""
    onboarding = await case.onboarding()
    limit = onboarding.credit_limit
    billing = BillingTerms(PREPAID if limit is None else ON_CREDIT, limit)

    async def opened() -> str:
        await case.use.erp.open_billing(onboarding.account_id, billing)
        return _number(onboarding)

    return await _activate(case, _FINANCE, opened)


async def activate_crm(case: OnboardingCase) -> Outcome:
    """Make the account active in the CRM, with its territory, owner and contact."""
    onboarding = await case.onboarding()

    async def upsert() -> str:
        account = await case.use.crm.upsert_account(_account(onboarding))
        return next((ref.id for ref in account.refs if ref.system is _CRM), account.id)

    return await _activate(case, _CRM, upsert)


async def finish(case: OnboardingCase) -> Outcome:
    """Show the onboarding as done and tell that there is a new account."""

    def facts(onboarding: Onboarding) -> dict[str, str | None]:
        refs = {entry.system.value: entry.external_id for entry in onboarding.activations}
        return {"status": onboarding.status.value, "number": _number(onboarding), **refs}

    await case.change(
        lambda stored: replace(stored, status=OnboardingStatus.ACTIVE),
        lambda stored: [case.news("account.activated", "activated", facts(stored))],
    )
    return DONE


async def block_customer(case: OnboardingCase) -> None:
    """Block the customer in the ERP for everything."""
    onboarding = await case.onboarding()
    await case.use.erp.block_customer(onboarding.account_id, "All")
    await _note(case, _ERP, None, "BLOCKED")


async def close_billing(case: OnboardingCase) -> None:
    """Block billing of the customer."""
    onboarding = await case.onboarding()
    await case.use.erp.block_customer(onboarding.account_id, "Invoice")
    await _note(case, _FINANCE, None, "BLOCKED")


async def to_prospect(case: OnboardingCase) -> None:
    """Make the account a prospect again."""
    onboarding = await case.onboarding()
    await case.use.crm.set_account_status(onboarding.account_id, AccountStatus.PROSPECT)
    await _note(case, _CRM, None, AccountStatus.PROSPECT.value)


async def _activate(case: OnboardingCase, system: SourceSystem, work: Callable[[], Awaitable[str]]) -> Outcome:
    """Do the work of one system and note it; what the system refuses ends the onboarding."""
    try:
        external_id = await work()
    except Rejected as error:
        problem = ValidationFailed(
            code="VALIDATION_FAILED",
            message=f"{system} refuses the customer: {error.detail}",
            path=error.fields or None,
            rule=f"REFUSED_BY_{system.value}",
            field=error.fields[-1] if error.fields else None,
        )
        return Outcome(Verdict.REFUSED, (problem,))
    await _note(case, system, external_id, "ACTIVE")
    return DONE


async def _note(case: OnboardingCase, system: SourceSystem, external_id: str | None, state: str) -> None:
    """Write how far a system is; what never was active there needs no taking back."""
    now = case.use.clock.now()

    def changed(onboarding: Onboarding) -> Onboarding:
        known = next((entry for entry in onboarding.activations if entry.system is system), None)
        if known is None and external_id is None:
            return onboarding
        if known is not None and known.state == state:
            return onboarding
        kept = known.external_id if external_id is None and known is not None else external_id
        others = tuple(entry for entry in onboarding.activations if entry.system is not system)
        return replace(onboarding, activations=(*others, SystemActivation(system, kept, state, now)))

    await case.change(changed)


async def _price_group(case: OnboardingCase) -> str | None:
    """Return the price group that was asked for, else the parent's."""
    applicant = case.applicant
    parent_id = applicant.parent_account_id
    if applicant.price_group is not None or parent_id is None:
        return applicant.price_group
    parent = (await case.use.erp.terms([parent_id])).get(parent_id)
    return None if parent is None else parent.price_group


def _customer(onboarding: Onboarding) -> NewCustomer:
    applicant = onboarding.applicant
    places = []
    for index, place in enumerate(applicant.ship_tos):
        code = "MAIN" if index == 0 else f"SITE-{index + 1}"
        places.append(NewShipTo(_part(onboarding, "shp", index), code, place, jurisdiction_of(place)))
    return NewCustomer(
        account_id=onboarding.account_id,
        name=applicant.legal_name,
        billing=applicant.billing,
        ship_tos=tuple(places),
        currency=applicant.currency,
        price_group=applicant.price_group,
        tax_registrations=applicant.tax_registrations,
    )


def _account(onboarding: Onboarding) -> NewAccount:
    applicant = onboarding.applicant
    return NewAccount(
        account_id=onboarding.account_id,
        number=_number(onboarding),
        name=applicant.trade_name or applicant.legal_name,
        legal_name=applicant.legal_name,
        parent_id=applicant.parent_account_id,
        territory_id=onboarding.territory_id,
        owner_id=onboarding.owner_id,
        billing=applicant.billing,
        currency=applicant.currency,
        contact_id=_part(onboarding, "con", 0),
        contact_name=applicant.contact_name,
        contact_email=applicant.contact_email,
        crm_id=applicant.crm_account_id,
    )


def _part(onboarding: Onboarding, prefix: str, index: int) -> str:
    """Return the platform id of something that belongs to the new account."""
    return f"{prefix}_{onboarding.id.removeprefix('onb_')}_{index + 1}"


def _number(onboarding: Onboarding) -> str:
    """Return the customer number that the ERP has given."""
    return next(entry.external_id or "" for entry in onboarding.activations if entry.system is _ERP)
