"""Records of customer onboarding: what is asked for, what was checked and decided, and what systems are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from schema.enums import AccountStatus, CheckKind, CheckResult, OnboardingStatus, SourceSystem
from schema.records.accounts import TaxRegistration
from schema.records.problems import Problem
from schema.records.values import Address, Money

__all__ = [
    "DECIDE_SCOPE",
    "ENDED",
    "Applicant",
    "BillingTerms",
    "CustomerTrace",
    "Lookalike",
    "LookalikeQuery",
    "NewAccount",
    "NewCustomer",
    "NewShipTo",
    "Onboarding",
    "OnboardingCheck",
    "OnboardingDecision",
    "SystemActivation",
]

DECIDE_SCOPE = "onboarding:decide"
"""Scope that decisions about onboardings take."""

ENDED = frozenset(
    {
        OnboardingStatus.ACTIVE,
        OnboardingStatus.REJECTED,
        OnboardingStatus.WITHDRAWN,
        OnboardingStatus.FAILED_COMPENSATED,
    }
)
"""States in which nothing more happens to an onboarding."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who wants to become a customer, and how. ``crm_account_id`` is the CRM's own id of a prospect."""

    legal_name: str
    billing: Address
    ship_tos: tuple[Address, ...]
    contact_name: str
    contact_email: str
    tax_registrations: tuple[TaxRegistration, ...]
    currency: str
    trade_name: str | None = None
    parent_account_id: str | None = None
    requested_credit: Money | None = None
    price_group: str | None = None
    crm_account_id: str | None = None


@dataclass(frozen=True, slots=True)
class OnboardingCheck:
    """One check: how it went, which system told, what it found, and who decided where it did not pass by itself."""

    kind: CheckKind
    system: SourceSystem
    result: CheckResult = CheckResult.PENDING
    detail: str | None = None
    at: datetime | None = None
    decided_by: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class OnboardingDecision:
    """What a person decided about one check; decisions that were made together have the same ``id``."""

    id: str
    check: CheckKind
    approve: bool
    by: str
    at: datetime
    comment: str
    credit_limit: Money | None = None


@dataclass(frozen=True, slots=True)
class SystemActivation:
    """How far a system is: ACTIVE, or taken back (BLOCKED, PROSPECT). ``external_id`` is the system's own id."""

    system: SourceSystem
    external_id: str | None
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Onboarding:
    """A request to become a customer, as far as it is.

    Attributes:
        account_id: platform id that the account has or will have.
        credit_limit: the limit that was granted; None until then, and for who pays in advance.
        policy_credit: the requested limit in the currency of the credit policy; None without a request or a rate.
        territory_id: the territory that is responsible, once one is found.
        owner_id: who looks after the account then.
        process_id: the process that the request started.
        problems: why it was refused.
    """

    id: str
    version: int
    status: OnboardingStatus
    applicant: Applicant
    account_id: str
    checks: tuple[OnboardingCheck, ...]
    submitted_by: str
    submitted_at: datetime
    process_id: str
    activations: tuple[SystemActivation, ...] = ()
    decisions: tuple[OnboardingDecision, ...] = ()
    credit_limit: Money | None = None
    policy_credit: Decimal | None = None
    territory_id: str | None = None
    owner_id: str | None = None
    decided_at: datetime | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class LookalikeQuery:
    """Whom to look for in the CRM: names as they begin, one postal code, one e-mail domain."""

    name_starts: tuple[str, ...]
    postal_code: str
    email_domain: str | None


@dataclass(frozen=True, slots=True)
class Lookalike:
    """An account of the CRM that may be the one that is looked for."""

    account_id: str
    names: tuple[str, ...]
    postal_code: str | None
    email_domains: tuple[str, ...]
    status: AccountStatus | None


@dataclass(frozen=True, slots=True)
class CustomerTrace:
    """What the ERP keeps of an account that was asked for: the tax numbers and GLNs that it has of those asked for."""

    account_id: str
    tax_numbers: tuple[str, ...]
    glns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewShipTo:
    """A delivery place of a new customer; ``id`` is its platform id."""

    id: str
    code: str
    address: Address
    tax_jurisdiction: str


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer for the ERP. It is blocked for invoices until its billing is opened."""

    account_id: str
    name: str
    billing: Address
    ship_tos: tuple[NewShipTo, ...]
    currency: str
    price_group: str | None
    tax_registrations: tuple[TaxRegistration, ...]


@dataclass(frozen=True, slots=True)
class BillingTerms:
    """On what terms finance bills; without ``credit_limit`` the customer pays in advance."""

    payment_terms: str
    credit_limit: Money | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account for the CRM, with the person to turn to. ``crm_id`` is the CRM's own id of the prospect it was."""

    account_id: str
    number: str
    name: str
    legal_name: str
    parent_id: str | None
    territory_id: str | None
    owner_id: str | None
    billing: Address
    currency: str
    contact_id: str
    contact_name: str
    contact_email: str
    crm_id: str | None = None
