"""Lists of accounts: the CRM's own search for the distributor's people, the accounts of its claim for a customer."""

from __future__ import annotations

from collections.abc import Iterable

from schema.enums import OnboardingStatus
from schema.graphql.errors import BadUserInput
from schema.graphql.places import Place, page_of
from schema.records.accounts import Account, AccountFilter
from schema.records.onboarding import Onboarding
from schema.records.values import Page, PageRequest
from systems.errors import Rejected
from systems.ports import BAD_CURSOR, AccountDirectory, OnboardingStore

__all__ = ["own_accounts", "search", "search_onboardings"]


async def search(directory: AccountDirectory, where: AccountFilter, page: PageRequest) -> Page[Account]:
    """Return a page of all accounts, by number.

    Raises:
        BadUserInput: the cursor is none of this list.
        ConnectorError: the CRM does not answer.
    """
    try:
        return await directory.search_accounts(where, page)
    except Rejected as refusal:
        raise _said(refusal, page) from refusal


async def search_onboardings(
    store: OnboardingStore, status: OnboardingStatus | None, page: PageRequest
) -> Page[Onboarding]:
    """Return a page of all requests to become a customer, earliest first.

    Raises:
        BadUserInput: the cursor is none of this list.
        ConnectorError: the platform's own ledger does not answer.
    """
    try:
        return await store.search_onboardings(status, page)
    except Rejected as refusal:
        raise _said(refusal, page) from refusal


def own_accounts(accounts: Iterable[Account], where: AccountFilter, page: PageRequest) -> Page[Account]:
    """Return a page of the accounts that a principal is bound to, by number; they are as few as its claims can name.

    Raises:
        BadUserInput: the cursor is none of this list.
    """
    wanted = [account for account in accounts if _matches(account, where)]
    return page_of(wanted, lambda account: Place(account.number, account.id), page)


def _matches(account: Account, where: AccountFilter) -> bool:
    territory_id = None if account.territory is None else account.territory.id
    text = (where.text or "").casefold()
    return (
        any(value.casefold().startswith(text) for value in (account.name, account.number))
        and where.status in (None, account.status)
        and where.territory_id in (None, territory_id)
        and where.erp_home in (None, account.erp_home)
        and where.owner_id in (None, account.owner_id)
    )


def _said(refusal: Rejected, page: PageRequest) -> Exception:
    """Return a refused cursor as the caller's mistake, any other refusal as it is."""
    if refusal.reason != BAD_CURSOR:
        return refusal
    return BadUserInput(f"after: cursor {page.after!r} is not one of this list: use endCursor of a page that it gave")
