# No postponed annotations: strawberry reads them.
"""What the ERP and finance say of a customer: tax registrations and credit."""

import datetime as dt

import strawberry

from schema.graphql.values import Freshness, Money, money
from schema.records import accounts as records
from schema.records import values

__all__ = ["CREDIT_SCOPE", "CreditProfile", "TaxRegistration"]

CREDIT_SCOPE = "credit:read"
"""Scope that what a customer owes and may owe is for."""


@strawberry.type(description="A tax id or exemption of a customer.")
class TaxRegistration:
    """A tax id or exemption."""

    kind: str
    number: str
    jurisdiction: str
    exempt: bool
    certificate_expires: dt.date | None
    verified_at: dt.datetime | None

    @classmethod
    def of(cls, record: records.TaxRegistration) -> "TaxRegistration":
        """Return the record as a graph value."""
        return cls(
            kind=record.kind,
            number=record.number,
            jurisdiction=record.jurisdiction,
            exempt=record.exempt,
            certificate_expires=record.certificate_expires,
            verified_at=record.verified_at,
        )


@strawberry.federation.type(
    requires_scopes=[[CREDIT_SCOPE]],
    description="What a customer owes and may owe; `limit` is null for who pays in advance, and for who may not know.",
)
class CreditProfile:
    """What a customer owes and may owe."""

    limit: Money | None
    open_receivables: Money
    overdue: Money
    max_days_past_due: int
    on_hold: bool
    hold_reason: str | None
    freshness: Freshness

    @classmethod
    def of(cls, record: records.CreditProfile, freshness: values.Freshness) -> "CreditProfile":
        """Return the record as a graph value."""
        return cls(
            limit=money(record.limit),
            open_receivables=Money.of(record.open_receivables),
            overdue=Money.of(record.overdue),
            max_days_past_due=record.max_days_past_due,
            on_hold=record.on_hold,
            hold_reason=record.hold_reason,
            freshness=Freshness.of(freshness),
        )
