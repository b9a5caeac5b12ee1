"""Accounts, opportunities and cases over Salesforce's REST API.

What the platform knows carries its platform id in the external id ``Crossdock_Id__c``; records without one are not the
platform's and are never shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

from schema.enums import SourceSystem
from schema.records.accounts import (
    Account,
    AccountFilter,
    Contact,
    Opportunity,
    ServiceCase,
    Territory,
    User,
)
from schema.records.values import Page, PageRequest
from systems.client import ClientSettings, VendorClient
from systems.errors import Conflict, ConnectorError, Rejected, Unavailable, Unexpected
from systems.outcome import Action, Outcome
from systems.ports import CallObserver, OrderMirror, QuoteMirror
from systems.salesforce.belongings import Belongings
from systems.salesforce.ids import full_id
from systems.salesforce.query import API, QueryReader
from systems.salesforce.records import (
    ACCOUNT_FIELDS,
    CASE_FIELDS,
    CONTACT_FIELDS,
    OPPORTUNITY_FIELDS,
    TERRITORY_FIELDS,
    USER_FIELDS,
    order_body,
    quote_body,
    read_account,
    read_case,
    read_contact,
    read_opportunity,
    read_territory,
    read_user,
)
from systems.salesforce.registry import Registry
from systems.salesforce.search import behind, conditions, cursor
from systems.salesforce.session import read_sign_in_refusal, session
from systems.salesforce.soql import literal, select
from systems.salesforce.words import OUR_CHANNEL, PRIORITY

__all__ = ["Salesforce", "SalesforceSettings"]

LIMIT_RETRY_S = 900.0
"""When to come back after the calls of a day are used up: the last 24 hours count, so some return soon."""

_REASONS = {
    "REQUEST_LIMIT_EXCEEDED": Outcome(Action.RATE_LIMITED, "the calls of the day are used up", LIMIT_RETRY_S),
    "UNABLE_TO_LOCK_ROW": Outcome(Action.RATE_LIMITED, "another request holds the record"),
    "INVALID_QUERY_LOCATOR": Outcome(Action.RETRY, "the pages of the query are gone"),
    "DUPLICATE_VALUE": Outcome(Action.CONFLICT, "the record exists already"),
}
"""What the vendor's error codes say beyond their status."""

_SIGN_IN_REFUSED = {400: Outcome(Action.REAUTH, "the client id or its secret is refused")}
_ACCOUNT_PREFIX = "001"
_KNOWN = "Crossdock_Id__c != null"


class _OfAccount(Protocol):
    @property
    def account_id(self) -> str: ...


R = TypeVar("R", bound=_OfAccount)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SalesforceSettings:
    """How to reach the CRM; ``base_url`` is the organisation's own domain."""

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_s: float = 5.0
    max_connections: int = 20
    budget_s: float | None = None


class Salesforce(Registry, Belongings):
    """All ports of the CRM in :mod:`systems.ports`; opened with ``async with``.

    Args:
        settings: how to reach it.
        observer: is told of every call.
        seen: is told of every account that is read, whatever it was read for.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        *,
        observer: CallObserver | None = None,
        seen: Callable[[Account], None] | None = None,
    ) -> None:
        self._seen = seen
        reach = ClientSettings(
            settings.base_url, settings.timeout_s, settings.max_connections, budget_s=settings.budget_s
        )
        circuit = reach.circuit()
        self._entrance = VendorClient(
            SourceSystem.CRM,
            reach,
            read_refusal=read_sign_in_refusal,
            own_outcomes=_SIGN_IN_REFUSED,
            observer=observer,
            circuit=circuit,
        )
        self._client = VendorClient(
            SourceSystem.CRM,
            reach,
            authorize=session(self._entrance, settings.client_id, settings.client_secret),
            read_refusal=_refusal,
            own_reasons=_REASONS,
            observer=observer,
            circuit=circuit,
        )
        self._query = QueryReader(self._client)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the connection pools."""
        for client in (self._entrance, self._client):
            await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._stack.aclose()

    async def accounts(self, ids: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by platform id."""
        soql = select(ACCOUNT_FIELDS, "Account", "Crossdock_Id__c IN ({})")
        found = await self._query.rows_in("accounts", soql, ids, self._account)
        return _asked(ids, {account.id: account for account in found})

    async def accounts_by_number(self, numbers: Sequence[str]) -> Mapping[str, Account]:
        """Return accounts by customer number.

        Raises:
            Unexpected: two accounts have the same number.
        """
        soql = select(ACCOUNT_FIELDS, "Account", "AccountNumber IN ({})", _KNOWN, order="Crossdock_Id__c")
        found: dict[str, Account] = {}
        for account in await self._query.rows_in("accounts by number", soql, numbers, self._account):
            other = found.setdefault(account.number, account)
            if other is not account:
                message = f"{other.id} and {account.id} both have the number {account.number}"
                raise Unexpected(SourceSystem.CRM, "accounts by number", message)
        return _asked(numbers, found)

    async def account_by_ref(self, external_id: str) -> Account | None:
        """Return the account with this record id of the CRM, in 15 or 18 characters."""
        record_id = full_id(external_id)
        if record_id is None or not record_id.startswith(_ACCOUNT_PREFIX):
            return None
        soql = select(ACCOUNT_FIELDS, "Account", f"Id = {literal(record_id)}", _KNOWN)
        found = await self._query.rows("account by ref", soql, self._account)
        return found[0] if found else None

    async def search_accounts(self, where: AccountFilter, page: PageRequest) -> Page[Account]:
        """Return accounts in the order of their numbers.

        Raises:
            Rejected: ``page.after`` is no cursor of this search.
        """
        given = conditions(where)
        after = [] if page.after is None else [behind(page.after)]
        if given is None:
            return Page((), (), has_next=False, total=0)
        operation = "search accounts"
        total = await self._query.count(operation, select("COUNT()", "Account", *given))
        soql = select(ACCOUNT_FIELDS, "Account", *given, *after, order="AccountNumber, Id")
        found = await self._query.rows(operation, f"{soql} LIMIT {page.first + 1}", self._account)
        shown = found[: page.first]
        return Page(
            items=tuple(shown),
            cursors=tuple(cursor(account.number, account.refs[0].id) for account in shown),
            has_next=len(found) > page.first,
            total=total,
        )

    async def children(self, parent_ids: Sequence[str]) -> Mapping[str, tuple[Account, ...]]:
        """Return direct children per parent in the order of their numbers; a parent without children maps to ()."""
        soql = select(ACCOUNT_FIELDS, "Account", "Parent.Crossdock_Id__c IN ({})", _KNOWN, order="AccountNumber, Id")
        found: dict[str | None, list[Account]] = {parent_id: [] for parent_id in parent_ids}
        for account in await self._query.rows_in("children", soql, parent_ids, self._account):
            if account.parent_id in found:
                found[account.parent_id].append(account)
        return {parent_id: tuple(found[parent_id]) for parent_id in parent_ids}

    async def contacts(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Contact, ...]]:
        """Return contacts per account by name."""
        soql = _of_accounts("Contact", CONTACT_FIELDS, "Name, Crossdock_Id__c")
        return _by_account(account_ids, await self._query.rows_in("contacts", soql, account_ids, read_contact))

    async def contacts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contact]:
        """Return contacts by platform id."""
        soql = select(CONTACT_FIELDS, "Contact", "Crossdock_Id__c IN ({})", "Account.Crossdock_Id__c != null")
        found = await self._query.rows_in("contacts by id", soql, ids, read_contact)
        return _asked(ids, {contact.id: contact for contact in found})

    async def users(self, ids: Sequence[str]) -> Mapping[str, User]:
        """Return users by platform id."""
        soql = select(USER_FIELDS, "User", "Crossdock_Id__c IN ({})")
        return _asked(ids, {user.id: user for user in await self._query.rows_in("users", soql, ids, read_user)})

    async def territories(self, ids: Sequence[str]) -> Mapping[str, Territory]:
        """Return territories by platform id."""
        soql = select(TERRITORY_FIELDS, "Territory__c", "Crossdock_Id__c IN ({})")
        found = await self._query.rows_in("territories", soql, ids, read_territory)
        return _asked(ids, {territory.id: territory for territory in found})

    async def opportunities(self, ids: Sequence[str]) -> Mapping[str, Opportunity]:
        """Return opportunities by platform id; one of no account that the platform knows is not there."""
        soql = select(OPPORTUNITY_FIELDS, "Opportunity", "Crossdock_Id__c IN ({})", f"Account.{_KNOWN}")
        found = await self._query.rows_in("opportunities", soql, ids, read_opportunity)
        return _asked(ids, {opportunity.id: opportunity for opportunity in found})

    async def opportunities_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Opportunity, ...]]:
        """Return every opportunity per account, latest close date first."""
        soql = _of_accounts("Opportunity", OPPORTUNITY_FIELDS, "CloseDate DESC NULLS LAST, Crossdock_Id__c")
        found = await self._query.rows_in("opportunities of accounts", soql, account_ids, read_opportunity)
        return _by_account(account_ids, found)

    async def mirror_order(self, key: str, mirror: OrderMirror) -> None:
        """Create or update the CRM's summary of an order, found by the order's platform id.

        The platform id alone decides which summary it is, so sending again after an unknown outcome changes nothing.

        Raises:
            Rejected: the CRM does not know the account or the opportunity, or refuses a value.
        """
        del key
        path = f"{API}/sobjects/Order/Crossdock_Id__c/{quote(mirror.order_id, safe='')}"
        await self._client.send("mirror order", "PATCH", path, order_body(mirror))

    async def mirror_quote(self, mirror: QuoteMirror) -> None:
        """Create or update the CRM's copy of a quote, found by the quote's platform id.

        The platform id alone decides which quote it is, so sending again after an unknown outcome changes nothing.

        Raises:
            Rejected: the CRM does not know the account or the opportunity, or refuses a value.
        """
        path = f"{API}/sobjects/Quote/Crossdock_Id__c/{quote(mirror.quote_id, safe='')}"
        await self._client.send("mirror quote", "PATCH", path, quote_body(mirror))

    async def cases(self, ids: Sequence[str]) -> Mapping[str, ServiceCase]:
        """Return cases by platform id; one of no account that the platform knows is not there."""
        soql = select(CASE_FIELDS, "Case", "Crossdock_Id__c IN ({})", f"Account.{_KNOWN}")
        return _asked(ids, {case.id: case for case in await self._query.rows_in("cases", soql, ids, read_case)})

    async def cases_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[ServiceCase, ...]]:
        """Return every case per account, newest first."""
        soql = _of_accounts("Case", CASE_FIELDS, "CreatedDate DESC, CaseNumber DESC")
        return _by_account(account_ids, await self._query.rows_in("cases of accounts", soql, account_ids, read_case))

    async def open_case(
        self, key: str, *, account_id: str, order_id: str | None, subject: str, priority: str, body: str
    ) -> ServiceCase:
        """Open a case, or return the one that ``key`` opened before, as it is now.

        After an unknown outcome it looks whether the case is there.

        Args:
            key: decides the case's platform id.
            account_id: whose case it is.
            order_id: the order it is about, if any.
            subject: its title.
            priority: LOW, NORMAL (or MEDIUM) or HIGH, in any case of letters.
            body: what happened.

        Raises:
            Rejected: the CRM does not know the account, or refuses a value.
            Unavailable: with ``outcome_unknown`` when the case may come to be; repeat with the same key.
        """
        case_id = f"cas_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        fields = {
            "Crossdock_Id__c": case_id,
            "Account": {"Crossdock_Id__c": account_id},
            "Crossdock_Order_Id__c": order_id,
            "Subject": subject,
            "Priority": _priority(priority),
            "Description": body,
            "Status": "New",
            "Origin": OUR_CHANNEL,
        }
        doubt: Conflict | Unavailable | None = None
        try:
            await self._client.send("open case", "POST", f"{API}/sobjects/Case", fields)
        except (Conflict, Unavailable) as error:
            if isinstance(error, Unavailable) and not error.outcome_unknown:
                raise
            doubt = error
        found = await self._opened(case_id)
        if found is None:
            raise doubt or _unread("it is not there")
        return found

    def _account(self, row: Mapping[str, Any]) -> Account:
        account = read_account(row)
        if self._seen is not None:
            self._seen(account)
        return account

    async def _opened(self, case_id: str) -> ServiceCase | None:
        """Return a case that was opened a moment ago."""
        try:
            return (await self.cases([case_id])).get(case_id)
        except ConnectorError as error:
            raise _unread(error.detail) from error


def _of_accounts(source: str, fields: str, order: str) -> str:
    return select(fields, source, "Account.Crossdock_Id__c IN ({})", _KNOWN, order=order)


def _asked(keys: Iterable[str], found: Mapping[str, T]) -> Mapping[str, T]:
    """Return what was asked for: the vendor takes ``ACC_1`` for ``acc_1``, we do not."""
    return {key: found[key] for key in keys if key in found}


def _by_account(account_ids: Iterable[str], found: Iterable[R]) -> Mapping[str, tuple[R, ...]]:
    by_account: dict[str, list[R]] = {account_id: [] for account_id in account_ids}
    for record in found:
        if record.account_id in by_account:
            by_account[record.account_id].append(record)
    return {account_id: tuple(records) for account_id, records in by_account.items()}


def _priority(given: str) -> str:
    plain = "NORMAL" if given.upper() == "MEDIUM" else given.upper()
    for text, meant in PRIORITY.items():
        if meant == plain:
            return text
    message = f"priority {given!r} is not one of {', '.join(PRIORITY.values())}"
    raise Rejected(SourceSystem.CRM, "open case", message, reason="BAD_PRIORITY", fields=("priority",))


def _unread(problem: str) -> Unavailable:
    message = f"the case cannot be read after it was opened: {problem}"
    return Unavailable(SourceSystem.CRM, "open case", message, outcome_unknown=True)


def _refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    first = body[0]
    return str(first["errorCode"]), str(first["message"]), tuple(first.get("fields") or ())
