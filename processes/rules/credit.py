"""Whether a customer may owe this much more (rule 6.3).

Exposure is open receivables, value ordered and not yet invoiced (shipped or not), other pending submissions and this
order with tax and freight, in the credit currency. The customer's own limit is checked first, then that of the parent
whose limit covers the group. Figures that finance gave too long ago are no ground for a large order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from schema.records.accounts import CustomerTerms
from schema.records.currencies import round_to_minor
from schema.records.problems import CreditHold
from schema.records.values import Money

__all__ = [
    "RELEASE_LIFETIME",
    "CreditPolicy",
    "CreditRelease",
    "GroupExposure",
    "check",
    "exposure",
    "is_stale",
    "release_covers",
]

ExchangeRate = Callable[[str, str], Decimal | None]

FLAGGED_AGE = timedelta(minutes=15)
"""Receivables older than this are shown as stale."""

UNVERIFIED_AGE = timedelta(hours=4)
"""Receivables older than this decide small orders only."""

RELEASE_LIFETIME = timedelta(days=3)
"""How long a release of a hold holds."""

GROWTH_TOLERANCE = Decimal("1.10")
"""An order that grew beyond this part of what was released is checked again."""


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """The house's limits.

    Attributes:
        grace_days: days past due that are let pass.
        overdue_percent: overdue amount that is let pass, in percent of the limit.
        small_order: orders up to this total pass on old figures, in the credit currency.
    """

    grace_days: int = 15
    overdue_percent: Decimal = Decimal(10)
    small_order: Decimal = Decimal(1_000)


DEFAULT_POLICY = CreditPolicy()


@dataclass(frozen=True, slots=True)
class GroupExposure:
    """A parent whose limit covers the group, and what the group owes and has ordered beside the parent's own debts."""

    terms: CustomerTerms
    amounts: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class CreditRelease:
    """A credit controller's release: up to ``max_amount``, given at ``released_at`` for an order of ``order_total``.

    It ends at ``expires_at``; None means after ``RELEASE_LIFETIME``.
    """

    max_amount: Money
    order_total: Money
    released_at: datetime
    expires_at: datetime | None = None


def check(
    terms: CustomerTerms,
    *,
    order_total: Money,
    open_orders: Money | None,
    pending: Sequence[Money],
    now: datetime,
    fx: ExchangeRate | None = None,
    parent: GroupExposure | None = None,
    policy: CreditPolicy = DEFAULT_POLICY,
) -> CreditHold | None:
    """Return why the order must wait for a credit controller, None when it may go on.

    Args:
        terms: the customer with its credit profile.
        order_total: this order with tax and freight.
        open_orders: value ordered and not yet invoiced; None when nobody could tell, which leaves the check unverified.
        pending: totals of other submissions that no ERP order stands for yet.
        now: the moment of the check.
        fx: exchange rate into the credit currency; without a rate the exposure cannot be told.
        parent: the parent whose limit covers the group, None without one.
        policy: limits of the house.
    """
    amounts = [order_total, *pending, *(() if open_orders is None else (open_orders,))]
    own = _check_one(terms, amounts, order_total, now, fx, policy, verified=open_orders is not None)
    if own is not None or parent is None:
        return own
    amounts = [*amounts, terms.credit.open_receivables, *parent.amounts]
    return _check_one(parent.terms, amounts, order_total, now, fx, policy, verified=True)


def exposure(terms: CustomerTerms, amounts: Sequence[Money], fx: ExchangeRate | None = None) -> Money | None:
    """Return open receivables and the amounts in the credit currency, None when one of them has no exchange rate."""
    currency = _currency(terms)
    total = Decimal(0)
    for amount in (terms.credit.open_receivables, *amounts):
        converted = _convert(amount, currency, fx)
        if converted is None:
            return None
        total += converted
    return round_to_minor(total, currency)


def is_stale(terms: CustomerTerms, now: datetime) -> bool:
    """Return whether the figures are so old that whoever sees them should be told."""
    return now - terms.credit.as_of > FLAGGED_AGE


def release_covers(release: CreditRelease, order_total: Money, now: datetime) -> bool:
    """Return whether a release still holds: not expired, within its cap, the order grown by no more than 10 %."""
    if {order_total.currency, release.order_total.currency} != {release.max_amount.currency}:
        return False
    current = now < (release.expires_at or release.released_at + RELEASE_LIFETIME)
    grown = order_total.amount > release.order_total.amount * GROWTH_TOLERANCE
    return current and not grown and order_total.amount <= release.max_amount.amount


def _check_one(
    terms: CustomerTerms,
    amounts: Sequence[Money],
    order_total: Money,
    now: datetime,
    fx: ExchangeRate | None,
    policy: CreditPolicy,
    *,
    verified: bool,
) -> CreditHold | None:
    profile = terms.credit
    owed = exposure(terms, amounts, fx)
    why = _reason(terms, owed, policy)
    if why is not None:
        return _hold("CREDIT_HOLD", f"customer {terms.number} {why}: a credit controller decides", terms, owed)
    order = _convert(order_total, _currency(terms), fx)
    fresh = verified and owed is not None and now - profile.as_of <= UNVERIFIED_AGE
    if fresh or (order is not None and order <= policy.small_order):
        return None
    message = f"credit of customer {terms.number} could not be verified: it is checked again on its own"
    return _hold("CREDIT_UNVERIFIED", message, terms, owed, retryable=True)


def _reason(terms: CustomerTerms, owed: Money | None, policy: CreditPolicy) -> str | None:
    profile = terms.credit
    if terms.blocked:
        return f"is blocked ({terms.blocked}) in the ERP"
    if profile.on_hold:
        return f"is on credit hold ({profile.hold_reason or 'no reason given'})"
    if profile.limit is None:
        return "has no credit limit and pays in advance"
    if owed is not None and owed.amount > profile.limit.amount * (100 + terms.credit_tolerance_percent) / 100:
        limit = f"{profile.limit.amount} {profile.limit.currency}"
        return f"would owe {owed.amount} {owed.currency} with a limit of {limit}"
    if profile.max_days_past_due > policy.grace_days:
        return f"is {profile.max_days_past_due} days past due, more than {policy.grace_days}"
    if profile.overdue.amount > profile.limit.amount * policy.overdue_percent / 100:
        return f"has {profile.overdue.amount} {profile.overdue.currency} overdue"
    return None


def _hold(code: str, message: str, terms: CustomerTerms, owed: Money | None, *, retryable: bool = False) -> CreditHold:
    return CreditHold(
        code=code,
        message=message,
        retryable=retryable,
        exposure=owed,
        limit=terms.credit.limit,
        days_past_due=terms.credit.max_days_past_due,
    )


def _currency(terms: CustomerTerms) -> str:
    return (terms.credit.limit or terms.credit.open_receivables).currency


def _convert(amount: Money, currency: str, fx: ExchangeRate | None) -> Decimal | None:
    if amount.currency == currency:
        return amount.amount
    rate = fx(amount.currency, currency) if fx is not None else None
    return None if rate is None else amount.amount * rate
