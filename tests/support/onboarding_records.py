"""Small constructors of onboarding records: everything has a plain default, a test names what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from schema.enums import CheckKind, OnboardingStatus, SourceSystem
from schema.records.accounts import TaxRegistration
from schema.records.onboarding import Applicant, NewAccount, NewCustomer, NewShipTo, Onboarding, OnboardingCheck
from schema.records.values import Address, Money

SUBMITTED = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)


def address(**changes: Any) -> Address:
    return replace(Address("1 Quay Road", "Houston", "77001", "US", region="TX"), **changes)


def registration(**changes: Any) -> TaxRegistration:
    made = TaxRegistration("RESALE_CERTIFICATE", "RS-TX-123456", "US-TX", True, date(2099, 1, 1), None)
    return replace(made, **changes)


def applicant(**changes: Any) -> Applicant:
    made = Applicant(
        legal_name="Quayside Valves Inc.",
        billing=address(),
        ship_tos=(address(),),
        contact_name="Bo Example",
        contact_email="bo@quayside.example",
        tax_registrations=(registration(),),
        currency="USD",
        requested_credit=Money(Decimal("8000.00"), "USD"),
    )
    return replace(made, **changes)


def onboarding(number: int = 1, **changes: Any) -> Onboarding:
    made = Onboarding(
        id=f"onb_{number}",
        version=1,
        status=OnboardingStatus.SUBMITTED,
        applicant=applicant(),
        account_id=f"acc_n{number}",
        checks=tuple(OnboardingCheck(kind, SourceSystem.PLATFORM) for kind in CheckKind),
        submitted_by="user:usr_1",
        submitted_at=SUBMITTED,
        process_id=f"prc_{number}",
    )
    return replace(made, **changes)


def new_customer(account_id: str = "acc_new", **changes: Any) -> NewCustomer:
    made = NewCustomer(
        account_id=account_id,
        name="Quayside Valves Inc.",
        billing=address(line2="Dock 4"),
        ship_tos=(NewShipTo(f"shp_{account_id}", "MAIN", address(gln="9521234500001"), "US-TX"),),
        currency="USD",
        price_group="PG-01",
        tax_registrations=(registration(),),
    )
    return replace(made, **changes)


def new_account(account_id: str = "acc_new", **changes: Any) -> NewAccount:
    made = NewAccount(
        account_id=account_id,
        number="C-90001",
        name="Quayside Valves",
        legal_name="Quayside Valves Inc.",
        parent_id="acc_parent",
        territory_id="ter_US-C",
        owner_id="usr_1",
        billing=address(),
        currency="USD",
        contact_id=f"con_{account_id}",
        contact_name="Bo van Example",
        contact_email="bo@quayside.example",
    )
    return replace(made, **changes)
