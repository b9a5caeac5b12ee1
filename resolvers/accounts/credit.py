"""What of a customer's credit is shown to whom, and how much credit is left (rule 6.3).

The figures take a scope, the limit is for those who decide about credit and prices. How much is left is for everybody
of the distributor and for the administrators of the customer. Each rule holds here, whatever was checked before.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from processes.rules.credit import exposure, is_stale
from resolvers.access import is_customer
from schema.accounts.terms import CREDIT_SCOPE
from schema.records.accounts import CreditProfile, CustomerTerms
from schema.records.identity import Principal
from schema.records.values import Freshness, Money

__all__ = ["available_credit", "may_see_available", "may_see_profile", "shown_profile", "told_when"]

CUSTOMER_ADMIN = "PORTAL_ADMIN"
"""Role of a customer's people who may know how much credit their own accounts have left."""

LIMIT_IS_HIDDEN_FROM = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK", "INTEGRATION"})
"""Roles that never show the limit, whatever scopes come with them."""


def may_see_profile(principal: Principal) -> bool:
    """Return whether the principal may know what a customer owes."""
    return CREDIT_SCOPE in principal.scopes


def may_see_available(principal: Principal) -> bool:
    """Return whether the principal may know how much credit a customer has left."""
    return not is_customer(principal) or CUSTOMER_ADMIN in principal.roles


def shown_profile(principal: Principal, profile: CreditProfile) -> CreditProfile:
    """Return the profile as the principal may see it: without its limit where that is hidden."""
    is_bystander = bool(principal.roles) and LIMIT_IS_HIDDEN_FROM.issuperset(principal.known_roles)
    return replace(profile, limit=None) if is_customer(principal) or is_bystander else profile


def told_when(terms: CustomerTerms, now: datetime) -> Freshness:
    """Return how old the figures are and which system told them."""
    return Freshness(terms.ref.system, terms.credit.as_of, stale=is_stale(terms, now))


def available_credit(terms: CustomerTerms, open_orders: Money) -> Money | None:
    """Return the limit less receivables and open orders; None without a limit, or when currencies differ."""
    limit = terms.credit.limit
    owed = exposure(terms, (open_orders,))
    if limit is None or owed is None:
        return None
    return Money(limit.amount - owed.amount, limit.currency)
