"""Whether an account may stand below another one (process P1, step 6), and whose prices it may have (step 5)."""

from __future__ import annotations

from collections.abc import Sequence

from schema.enums import AccountStatus
from schema.records.accounts import Account, CustomerTerms
from schema.records.problems import HierarchyInvalid, PriceIneligible

__all__ = ["MAX_DEPTH", "check_parent", "check_price_group"]

MAX_DEPTH = 5
"""Levels of a hierarchy, its head included."""


def check_parent(
    parent_id: str, account_id: str, above: Sequence[Account], terms: CustomerTerms | None, currency: str
) -> HierarchyInvalid | None:
    """Return why the account may not stand below the parent, None when it may.

    Args:
        parent_id: the parent that is asked for.
        account_id: the account that is to stand below it.
        above: the parent, then its own parent and so on, as far as there are any and at most ``MAX_DEPTH``.
        terms: on what terms the parent buys; its credit covers the group only in one currency.
        currency: what the new account buys in.
    """
    if not above or above[0].id != parent_id:
        return _invalid(parent_id, f"account {parent_id} does not exist")
    ids = [entry.id for entry in above]
    if account_id in ids or len(set(ids)) < len(ids) or above[-1].parent_id in ids:
        return _invalid(parent_id, f"account {parent_id} would stand below itself")
    if above[0].status is not AccountStatus.ACTIVE:
        return _invalid(parent_id, f"account {parent_id} is {above[0].status.lower()}: only active ones head others")
    if len(above) >= MAX_DEPTH:
        return _invalid(parent_id, f"below account {parent_id} there would be more than {MAX_DEPTH} levels")
    if terms is None:
        return _invalid(parent_id, f"account {parent_id} is no customer of the ERP, whose credit could cover others")
    if terms.currency != currency:
        said = f"account {parent_id} buys in {terms.currency}, this one in {currency}: their credit cannot roll up"
        return _invalid(parent_id, said)
    return None


def check_price_group(group: str, currency: str, *, has_prices: bool | None) -> PriceIneligible | None:
    """Return why a customer may not buy at the prices of a group, None when it may.

    Args:
        group: the group that is asked for.
        currency: what the customer buys in.
        has_prices: whether the group has prices in this currency; None when there is no such group.
    """
    if has_prices:
        return None
    why = f"there is no price group {group}" if has_prices is None else f"it has no prices in {currency}"
    return PriceIneligible(
        code="PRICE_INELIGIBLE",
        message=f"price group {group} is not for this customer: {why}",
        path=("priceGroup",),
        price_group=group,
        reason=why,
    )


def _invalid(parent_id: str, why: str) -> HierarchyInvalid:
    return HierarchyInvalid(
        code="HIERARCHY_INVALID", message=why, path=("parentAccountId",), parent_id=parent_id, reason=why
    )
