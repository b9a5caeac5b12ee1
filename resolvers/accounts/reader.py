"""Everything that one request reads of accounts, batched: one call per question, however many accounts ask it.

1. Each question has a loader; loaders keep what they found, so a field asked twice costs nothing.
2. What the principal may not see answers like what does not exist, whatever path led to it.
3. The CRM says who an account is, the ERP on what terms it buys: while the ERP is away only the terms fail.

Invariant: the number of calls to a port depends on the shape of the request, never on its rows.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import structlog

from resolvers.access import can_see
from resolvers.accounts.credit import available_credit, may_see_available, may_see_profile, shown_profile, told_when
from resolvers.accounts.listing import own_accounts, search, search_onboardings
from resolvers.accounts.ports import AccountPorts
from resolvers.loaders import bulk_loader
from resolvers.rows import patch_of
from schema.enums import OnboardingStatus, SourceSystem
from schema.graphql.errors import Forbidden
from schema.records.accounts import (
    Account,
    AccountFilter,
    Contact,
    CreditProfile,
    CustomerTerms,
    Opportunity,
    ServiceCase,
    ShipTo,
    Territory,
    User,
)
from schema.records.identity import ANONYMOUS, Principal
from schema.records.onboarding import Onboarding
from schema.records.operations import ProcessRecord
from schema.records.values import ExternalRef, Freshness, Money, Page, PageRequest
from systems.errors import ConnectorError

__all__ = ["AccountReader"]

OwnedT = TypeVar("OwnedT", Contact, Opportunity, ServiceCase, ShipTo)

_ERPS = frozenset({SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP})
_log = structlog.get_logger("crossdock.accounts")


class AccountReader:
    """Reads accounts and what belongs to them, for one request of one principal.

    Args:
        ports: where data comes from.
        principal: who asks.
    """

    def __init__(self, ports: AccountPorts, principal: Principal) -> None:
        self.ports = ports
        self.principal = principal
        self.now: datetime = ports.clock.now()
        self._accounts = bulk_loader(ports.directory.accounts)
        self._numbers = bulk_loader(ports.directory.accounts_by_number)
        self._children = bulk_loader(ports.directory.children)
        self._contacts_of = bulk_loader(ports.directory.contacts)
        self._contacts = bulk_loader(ports.directory.contacts_by_id)
        self._users = bulk_loader(ports.directory.users)
        self._territories = bulk_loader(ports.directory.territories)
        self._opportunities = bulk_loader(ports.sales.opportunities)
        self._opportunities_of = bulk_loader(ports.sales.opportunities_of)
        self._cases = bulk_loader(ports.cases.cases)
        self._cases_of = bulk_loader(ports.cases.cases_of)
        self._terms = bulk_loader(ports.customers.terms)
        self._ship_tos = bulk_loader(ports.customers.ship_tos)
        self._ship_tos_of = bulk_loader(ports.customers.ship_tos_of)
        self._onboardings = bulk_loader(ports.onboardings.onboardings)
        self._processes = bulk_loader(ports.processes.processes)
        self._merged_into = bulk_loader(ports.merges.merged_into)

    # --- accounts

    async def account(self, account_id: str) -> Account | None:
        """Return an account, None when there is none that the principal may see."""
        return await self._accounts.load(account_id) if self._sees(account_id) else None

    async def account_by_number(self, number: str) -> Account | None:
        """Return the account with this number, None when there is none that the principal may see."""
        return self._kept(await self._numbers.load(number))

    async def account_by_ref(self, system: SourceSystem, external_id: str) -> Account | None:
        """Return the account that a system knows under its own id, None when there is none that the principal may see.

        Systems other than CRM and ERP have no ids of their own for accounts. What an account was called that was merged
        into another leads to that one.
        """
        if system is SourceSystem.CRM:
            named = await self.ports.directory.account_by_ref(external_id)
            found = None if named is None else named.id
        else:
            named = None
            found = await self.ports.customers.account_id_by_ref(system, external_id) if system in _ERPS else None
        if found is None:
            return None
        now = (await self.ports.merges.survivors([found])).get(found, found)
        return self._kept(named) if named is not None and named.id == now else await self.account(now)

    async def accounts(self, where: AccountFilter, page: PageRequest) -> Page[Account]:
        """Return a page of the accounts that the principal may see, by number."""
        bound = self.principal.accounts
        if bound is None:
            patch = None if self.principal.rows is None else patch_of(self.principal)
            found = await search(self.ports.directory, replace(where, within=patch), page)
        else:
            known = await asyncio.gather(*(self.account(account_id) for account_id in dict.fromkeys(bound)))
            found = own_accounts((account for account in known if account is not None), where, page)
        for account in found.items:
            self._kept(account)
        return found

    async def children(self, account_id: str) -> tuple[Account, ...]:
        """Return the accounts right below an account that the principal may see."""
        found = await self._children.load(account_id) or ()
        return tuple(child for child in found if self._kept(child) is not None)

    async def external_refs(self, account: Account) -> tuple[ExternalRef, ...]:
        """Return what systems call an account, and called those merged into it; no id of an ERP that is away."""
        try:
            terms = await self.terms(account.id)
        except ConnectorError as error:
            _log.warning("references without ERP", account=account.id, error=str(error))
            terms = None
        own = account.refs if terms is None or terms.ref in account.refs else (*account.refs, terms.ref)
        merges = await self._merged_into.load(account.id) or ()
        return (*own, *(ref for merge in merges for ref in merge.refs))

    # --- terms and credit

    async def terms(self, account_id: str) -> CustomerTerms | None:
        """Return on what terms an account buys, None when no ERP has it as a customer.

        Raises:
            ConnectorError: the ERP does not answer.
        """
        return await self._terms.load(account_id) if self._sees(account_id) else None

    async def credit(self, account_id: str) -> tuple[CreditProfile, Freshness] | None:
        """Return what an account owes and may owe, as far as the principal may know it.

        Raises:
            ConnectorError: the ERP does not answer.
        """
        found = await self.terms(account_id) if may_see_profile(self.principal) else None
        if found is None:
            return None
        return shown_profile(self.principal, found.credit), told_when(found, self.now)

    async def credit_available(self, account_id: str, open_orders: Money | None) -> Money | None:
        """Return how much more an account may owe, None when that cannot be told or the principal may not know it.

        Raises:
            ConnectorError: the ERP does not answer.
        """
        if open_orders is None or not may_see_available(self.principal):
            return None
        found = await self.terms(account_id)
        return None if found is None else available_credit(found, open_orders)

    # --- what an account has

    async def ship_tos_of(self, account_id: str) -> tuple[ShipTo, ...]:
        """Return an account's delivery places.

        Raises:
            ConnectorError: the ERP does not answer.
        """
        return await self._ship_tos_of.load(account_id) or ()

    async def ship_to(self, ship_to_id: str) -> ShipTo | None:
        """Return a delivery place, None when there is none that the principal may see."""
        return self._visible(await self._ship_tos.load(ship_to_id))

    async def contacts_of(self, account_id: str) -> tuple[Contact, ...]:
        """Return the people at an account."""
        return await self._contacts_of.load(account_id) or ()

    async def contact(self, contact_id: str) -> Contact | None:
        """Return a person at an account, None when there is none that the principal may see."""
        return self._visible(await self._contacts.load(contact_id))

    async def opportunities_of(self, account_id: str) -> tuple[Opportunity, ...]:
        """Return an account's opportunities."""
        return await self._opportunities_of.load(account_id) or ()

    async def opportunity(self, opportunity_id: str) -> Opportunity | None:
        """Return an opportunity, None when there is none that the principal may see."""
        return self._visible(await self._opportunities.load(opportunity_id))

    async def cases_of(self, account_id: str) -> tuple[ServiceCase, ...]:
        """Return an account's service cases."""
        return await self._cases_of.load(account_id) or ()

    async def case(self, case_id: str) -> ServiceCase | None:
        """Return a service case, None when there is none that the principal may see."""
        return self._visible(await self._cases.load(case_id))

    # --- who wants to become a customer

    async def onboarding(self, onboarding_id: str) -> Onboarding | None:
        """Return a request to become a customer, None when there is none that the principal may see."""
        found = await self._onboardings.load(onboarding_id)
        if found is None or not (self.principal.accounts is None or self._sees(found.account_id)):
            return None  # who is no customer yet is in nobody's territory: all of our people see it
        return found

    async def onboardings(self, status: OnboardingStatus | None, page: PageRequest) -> Page[Onboarding]:
        """Return a page of the requests to become a customer, earliest first; they are for the distributor's people.

        Raises:
            BadUserInput: the cursor is none of this list.
        """
        if self.principal.accounts is not None:
            return Page((), (), has_next=False, total=0)
        return await search_onboardings(self.ports.onboardings, status, page)

    async def process(self, process_id: str) -> ProcessRecord | None:
        """Return the process of something that the principal may see."""
        return await self._processes.load(process_id)

    # --- the distributor

    async def viewer(self) -> User:
        """Return who asks, with the roles of the claims; the id stands in for a name that the CRM does not tell.

        Raises:
            Forbidden: nobody has signed in.
        """
        if self.principal == ANONYMOUS:
            raise Forbidden("viewer: nobody has signed in, send a token")
        user_id = self.principal.subject.removeprefix("user:")
        try:
            found = await self._users.load(user_id)
        except ConnectorError as error:
            _log.warning("viewer without CRM", error=str(error))
            found = None
        viewer = found or User(user_id, user_id, ())
        return replace(viewer, roles=self.principal.roles)

    async def user(self, user_id: str) -> User | None:
        """Return a person of the distributor; strangers see nobody."""
        return None if self._is_stranger else await self._users.load(user_id)

    async def territory(self, territory_id: str) -> Territory | None:
        """Return a sales territory; strangers see none."""
        return None if self._is_stranger else await self._territories.load(territory_id)

    @property
    def _is_stranger(self) -> bool:
        return self.principal.accounts is not None and not self.principal.accounts

    def _sees(self, account_id: str) -> bool:
        return can_see(self.principal, account_id)

    def _visible(self, found: OwnedT | None) -> OwnedT | None:
        return found if found is not None and self._sees(found.account_id) else None

    def _kept(self, found: Account | None) -> Account | None:
        """Return an account that the principal may see, and keep it, so that asking for it by id costs nothing."""
        if found is None or not self._sees(found.id):
            return None
        self._accounts.prime(found.id, found)
        return found
