"""Records of customers: who they are (CRM), on what terms they buy and what they owe (ERP, finance)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from schema.enums import AccountStatus, CaseStatus, ErpHome
from schema.records.values import Address, ExternalRef, Money

__all__ = [
    "Account",
    "AccountFilter",
    "AccountValues",
    "Contact",
    "CreditProfile",
    "CustomerTerms",
    "Opportunity",
    "Patch",
    "ServiceCase",
    "ShipTo",
    "TaxRegistration",
    "Territory",
    "User",
]


@dataclass(frozen=True, slots=True)
class Account:
    """A customer as the CRM knows it. ``id`` is the platform id (``acc_...``), the same in every system."""

    id: str
    number: str
    name: str
    legal_name: str | None
    status: AccountStatus
    version: int
    parent_id: str | None
    bill_to_id: str | None
    territory: Territory | None
    owner_id: str | None
    erp_home: ErpHome
    refs: tuple[ExternalRef, ...]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Patch:
    """The accounts of some territories, and those that somebody owns wherever they are."""

    territory_ids: tuple[str, ...]
    owner_id: str


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """All conditions that are not None must hold; ``text`` matches the start of name or number, case-insensitive."""

    text: str | None = None
    status: AccountStatus | None = None
    territory_id: str | None = None
    erp_home: ErpHome | None = None
    owner_id: str | None = None
    within: Patch | None = None


@dataclass(frozen=True, slots=True)
class AccountValues:
    """What can be changed of an account; None leaves a value as it is, an empty owner is none.

    Terms and billing address are the ERP's, the owner is the CRM's; the CRM mirrors the billing address.
    """

    payment_terms: str | None = None
    owner_id: str | None = None
    billing: Address | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at an account."""

    id: str
    account_id: str
    name: str
    email: str | None
    phone: str | None
    role: str | None


@dataclass(frozen=True, slots=True)
class Territory:
    """A sales territory."""

    id: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person of the distributor. ``roles`` are the role names of the authorization table."""

    id: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A sales opportunity of the CRM; ``stage`` is the CRM's own word."""

    id: str
    account_id: str
    name: str
    stage: str
    amount: Money | None
    close_date: date | None
    owner_id: str | None
    is_open: bool
    refs: tuple[ExternalRef, ...]


@dataclass(frozen=True, slots=True)
class ServiceCase:
    """A service case; ``order_id`` is the platform id of the order it is about."""

    id: str
    account_id: str
    number: str
    subject: str
    status: CaseStatus
    priority: str
    opened_at: datetime
    first_response_at: datetime | None
    resolved_at: datetime | None
    order_id: str | None


@dataclass(frozen=True, slots=True)
class TaxRegistration:
    """A tax id or exemption of a customer."""

    kind: str
    number: str
    jurisdiction: str
    exempt: bool
    certificate_expires: date | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreditProfile:
    """What a customer owes and may owe, as finance has it. ``limit`` None means prepay only."""

    limit: Money | None
    open_receivables: Money
    overdue: Money
    max_days_past_due: int
    on_hold: bool
    hold_reason: str | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CustomerTerms:
    """A customer as its home ERP knows it (sold-to). ``blocked`` is empty, ``Ship``, ``Invoice`` or ``All``."""

    account_id: str
    number: str
    currency: str
    payment_terms: str | None
    price_group: str | None
    blocked: str
    tax_registrations: tuple[TaxRegistration, ...]
    credit: CreditProfile
    credit_tolerance_percent: int
    ref: ExternalRef


@dataclass(frozen=True, slots=True)
class ShipTo:
    """A place that an account has goods delivered to. ``delivery_days`` are MON..SUN; empty means every working day."""

    id: str
    account_id: str
    code: str
    address: Address
    tax_jurisdiction: str | None
    delivery_days: tuple[str, ...]
    active: bool
