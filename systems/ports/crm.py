"""What is wanted of the CRM: accounts, opportunities, cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from schema.enums import AccountStatus, OrderStatus, QuoteStatus
from schema.records.accounts import (
    Account,
    AccountFilter,
    AccountValues,
    Contact,
    Opportunity,
    ServiceCase,
    Territory,
    User,
)
from schema.records.onboarding import Lookalike, LookalikeQuery, NewAccount
from schema.records.values import Money, Page, PageRequest


class AccountDirectory(Protocol):
    """Who the customers are. System of record: CRM."""

    async def accounts(self, ids: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by platform id."""
        ...

    async def accounts_by_number(self, numbers: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by customer number."""
        ...

    async def account_by_ref(self, external_id: str) -> Account | None:
        """Return the account that the CRM itself knows under ``external_id``."""
        ...

    async def search_accounts(self, where: AccountFilter, page: PageRequest) -> Page[Account]:
        """Return accounts in the order of their numbers.

        Raises:
            Rejected: with reason ``BAD_CURSOR`` when ``page.after`` is none of this list.
        """
        ...

    async def children(self, parent_ids: Sequence[str]) -> Mapping[str, tuple[Account, ...]]:
        """Return direct children per parent in the order of their numbers; a parent without children maps to ()."""
        ...

    async def contacts(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Contact, ...]]:
        """Return contacts per account by name."""
        ...

    async def contacts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contact]:
        """Return contacts by platform id."""
        ...

    async def users(self, ids: Sequence[str]) -> Mapping[str, User]:
        """Return users by platform id."""
        ...

    async def territories(self, ids: Sequence[str]) -> Mapping[str, Territory]:
        """Return territories by platform id."""
        ...


class AccountRegistry(Protocol):
    """Accounts that come to be in the CRM. The account's platform id is the key: writing again changes nothing."""

    async def lookalikes(self, who: LookalikeQuery) -> tuple[Lookalike, ...]:
        """Return accounts that share the start of a name, the postal code or the e-mail domain; at most 200."""
        ...

    async def upsert_account(self, account: NewAccount) -> Account:
        """Create the account or change it into this one, active, with its contact; return it.

        Raises:
            Rejected: the CRM refuses; ``fields`` say what.
            Unavailable: with ``outcome_unknown`` when it may have been written; repeating is safe.
        """
        ...

    async def set_account_status(self, account_id: str, status: AccountStatus) -> None:
        """Give an account another status; nothing happens when there is none."""
        ...

    async def change_account(self, account_id: str, values: AccountValues, version: int) -> None:
        """Set owner and billing address where they are given, and the version of the account.

        Raises:
            NotFound: the CRM has no such account.
            Rejected: the CRM refuses; ``fields`` say what.
        """
        ...

    async def belongings(self, account_id: str) -> tuple[str, ...]:
        """Return what hangs on an account and is open, each under a name that the CRM knows it by.

        Raises:
            Rejected: there are more than can be given away at once.
        """
        ...

    async def give_belongings(self, belongings: Sequence[str], account_id: str) -> None:
        """Have records belong to an account; repeating is safe.

        Raises:
            Rejected: the CRM refuses one of them, or knows no such account.
            Conflict: somebody else is writing one of them; repeat.
        """
        ...


@dataclass(frozen=True, slots=True)
class OrderMirror:
    """What the CRM shows of an order; ``ordered_on`` is the day (UTC) on which it was submitted."""

    order_id: str
    number: str
    account_id: str
    opportunity_id: str | None
    status: OrderStatus
    total: Money
    promised_date: date | None
    po_number: str | None
    ordered_on: date


@dataclass(frozen=True, slots=True)
class QuoteMirror:
    """What the CRM shows of a quote, at its opportunity where it has one."""

    quote_id: str
    number: str
    account_id: str
    opportunity_id: str | None
    status: QuoteStatus
    total: Money
    valid_until: date


class SalesContext(Protocol):
    """Opportunities, and what the CRM is told about orders and quotes. System of record: CRM."""

    async def opportunities(self, ids: Sequence[str]) -> Mapping[str, Opportunity]:
        """Return opportunities by platform id."""
        ...

    async def opportunities_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Opportunity, ...]]:
        """Return every opportunity per account, latest close date first."""
        ...

    async def mirror_order(self, key: str, mirror: OrderMirror) -> None:
        """Create or update the CRM's summary of an order, found by the order's platform id."""
        ...

    async def mirror_quote(self, mirror: QuoteMirror) -> None:
        """Create or update the CRM's copy of a quote, found by the quote's platform id."""
        ...


class CaseDesk(Protocol):
    """Service cases. System of record: the CRM's service part."""

    async def cases(self, ids: Sequence[str]) -> Mapping[str, ServiceCase]:
        """Return cases by platform id."""
        ...

    async def cases_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ServiceCase, ...]]:
        """Return every case per account, newest first."""
        ...

    async def open_case(
        self, key: str, *, account_id: str, order_id: str | None, subject: str, priority: str, body: str
    ) -> ServiceCase:
        """Open a case, or return the one that ``key`` opened before."""
        ...
