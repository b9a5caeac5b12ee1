# No postponed annotations: strawberry reads them.
"""What is asked for."""

import datetime as dt

import strawberry

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import AccountStatus, CheckKind, ErpHome
from schema.graphql.values import AddressInput, MoneyInput
from schema.records import accounts as records
from schema.records.merges import MergeAsked
from schema.records.onboarding import Applicant
from schema.records.waiting import DECISION_WAIT_MS

__all__ = [
    "AccountChangeInput",
    "AccountFilter",
    "AccountMergeInput",
    "CaseOpenInput",
    "OnboardingDecideInput",
    "OnboardingSubmitInput",
    "TaxRegistrationInput",
    "account_filter",
    "applicant",
]


@strawberry.input(
    description="Which accounts: every condition that is given must hold; `text` is the start of name or number."
)
class AccountFilter:
    """Which accounts."""

    text: str | None = None
    status: AccountStatus | None = None
    territory_id: strawberry.ID | None = None
    erp_home: ErpHome | None = None
    owner_id: strawberry.ID | None = None


@strawberry.input(description="A service case to open; `priority` is LOW, NORMAL or HIGH.")
class CaseOpenInput:
    """A service case to open."""

    idempotency_key: str
    account_id: strawberry.ID
    order_id: strawberry.ID | None = None
    subject: str
    priority: str | None = "NORMAL"
    body: str


@strawberry.input(description="A tax id or exemption of who wants to become a customer.")
class TaxRegistrationInput:
    """A tax id or exemption."""

    kind: str
    number: str
    jurisdiction: str
    exempt: bool | None = False
    certificate_expires: dt.date | None = None

    def record(self) -> records.TaxRegistration:
        """Return the input as a record that nobody has verified."""
        return records.TaxRegistration(
            kind=self.kind,
            number=self.number,
            jurisdiction=self.jurisdiction,
            exempt=bool(self.exempt),
            certificate_expires=self.certificate_expires,
            verified_at=None,
        )


@strawberry.input(
    description="Who wants to become a customer; `crmAccountId` is the CRM's own id of the prospect that it is there."
)
class OnboardingSubmitInput:
    """Who wants to become a customer."""

    idempotency_key: str
    legal_name: str
    trade_name: str | None = None
    parent_account_id: strawberry.ID | None = None
    billing: AddressInput
    ship_to: list[AddressInput]
    contact_email: str
    contact_name: str
    tax_registrations: list[TaxRegistrationInput]
    requested_credit: MoneyInput | None = None
    currency: str
    price_group: str | None = None
    crm_account_id: str | None = None
    wait_ms: int | None = DECISION_WAIT_MS


@strawberry.input(
    description="A decision about one check of an onboarding, or without `check` about every one that is yours."
)
class OnboardingDecideInput:
    """A decision about an onboarding."""

    idempotency_key: str
    onboarding_id: strawberry.ID
    version: int
    check: CheckKind | None = None
    approve: bool
    credit_limit: MoneyInput | None = None
    comment: str


@strawberry.input(description="Values of an account to change; `version` is that of the account as it was read.")
class AccountChangeInput:
    """Values of an account to change."""

    idempotency_key: str
    account_id: strawberry.ID
    version: int
    payment_terms: str | None = None
    owner_id: strawberry.ID | None = None
    billing: AddressInput | None = None
    comment: str | None = None

    def values(self) -> records.AccountValues:
        """Return the values as a record."""
        return records.AccountValues(
            payment_terms=self.payment_terms,
            owner_id=self.owner_id,
            billing=None if self.billing is None else self.billing.record(),
        )


@strawberry.input(description="Two accounts that are the same; `duplicateId` becomes `survivorId`.")
class AccountMergeInput:
    """Two accounts to make one of."""

    idempotency_key: str
    survivor_id: strawberry.ID
    duplicate_id: strawberry.ID
    comment: str

    def record(self) -> MergeAsked:
        """Return what is asked as a record."""
        return MergeAsked(self.survivor_id, self.duplicate_id, self.comment)


def applicant(asked: OnboardingSubmitInput) -> Applicant:
    """Return who wants to become a customer as a record."""
    return Applicant(
        legal_name=asked.legal_name,
        billing=asked.billing.record(),
        ship_tos=tuple(place.record() for place in asked.ship_to),
        contact_name=asked.contact_name,
        contact_email=asked.contact_email,
        tax_registrations=tuple(entry.record() for entry in asked.tax_registrations),
        currency=asked.currency,
        trade_name=asked.trade_name,
        parent_account_id=asked.parent_account_id,
        requested_credit=None if asked.requested_credit is None else asked.requested_credit.record(),
        price_group=asked.price_group,
        crm_account_id=asked.crm_account_id,
    )


def account_filter(asked: AccountFilter | None) -> records.AccountFilter:
    """Return the conditions as a record."""
    if asked is None:
        return records.AccountFilter()
    return records.AccountFilter(
        text=asked.text,
        status=asked.status,
        territory_id=asked.territory_id,
        erp_home=asked.erp_home,
        owner_id=asked.owner_id,
    )
