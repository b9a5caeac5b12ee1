"""What credit a new customer gets without a person, and how many persons it takes (process P1, steps 3 and 7).

There is no credit bureau in this deployment: up to the policy's limit credit is given by itself, beyond it people
decide, and whose amount cannot be compared with the policy is treated as one beyond every limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from schema.records.values import Money

__all__ = ["NEW_CREDIT", "NewCreditPolicy", "NewCreditVerdict", "judge_credit", "persons_needed"]


@dataclass(frozen=True, slots=True)
class NewCreditPolicy:
    """The house's limits for new customers, in ``currency``."""

    automatic: Decimal = Decimal(10_000)
    two_persons_above: Decimal = Decimal(100_000)
    currency: str = "USD"


NEW_CREDIT = NewCreditPolicy()


@dataclass(frozen=True, slots=True)
class NewCreditVerdict:
    """Whether the credit is given by itself; ``amount`` is the request in the policy's currency, None if unknown."""

    is_automatic: bool
    detail: str
    amount: Decimal | None


def judge_credit(
    requested: Money | None, rate: Decimal | None, policy: NewCreditPolicy = NEW_CREDIT
) -> NewCreditVerdict:
    """Return what becomes of a request for credit.

    Args:
        requested: None asks for none.
        rate: how much of the policy's currency one of the requested currency is worth; None when nobody can tell.
        policy: limits of the house.
    """
    if requested is None or requested.amount == 0:
        return NewCreditVerdict(is_automatic=True, detail="pays in advance, no credit was asked for", amount=Decimal(0))
    asked = f"{requested.amount} {requested.currency}"
    if rate is None:
        detail = f"{asked} cannot be compared with the policy in {policy.currency}: a credit controller decides"
        return NewCreditVerdict(is_automatic=False, detail=detail, amount=None)
    amount = requested.amount * rate
    if amount <= policy.automatic:
        return NewCreditVerdict(is_automatic=True, detail=f"{asked} is within the policy", amount=amount)
    detail = f"{asked} is more than {policy.automatic} {policy.currency}: a credit controller decides"
    return NewCreditVerdict(is_automatic=False, detail=detail, amount=amount)


def persons_needed(amount: Decimal | None, policy: NewCreditPolicy = NEW_CREDIT) -> int:
    """Return how many persons must agree to a limit in the policy's currency; None counts as beyond every limit."""
    return 2 if amount is None or amount > policy.two_persons_above else 1
