"""What the types of accounts ask of the request that they are resolved in."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from schema.records.accounts import (
    Account,
    Contact,
    CreditProfile,
    CustomerTerms,
    Opportunity,
    ServiceCase,
    ShipTo,
    Territory,
    User,
)
from schema.records.identity import Principal
from schema.records.onboarding import Onboarding
from schema.records.operations import ProcessRecord
from schema.records.values import ExternalRef, Freshness, Money

__all__ = ["AccountsContext", "AccountsReading"]


class AccountsReading(Protocol):
    """Reads of one request, batched; None means that there is nothing which the principal may see."""

    @property
    def now(self) -> datetime:
        """When the request is answered."""
        ...

    async def account(self, account_id: str) -> Account | None:
        """Return an account."""
        ...

    async def account_by_number(self, number: str) -> Account | None:
        """Return the account with this number."""
        ...

    async def children(self, account_id: str) -> tuple[Account, ...]:
        """Return the accounts right below an account."""
        ...

    async def terms(self, account_id: str) -> CustomerTerms | None:
        """Return on what terms an account buys, None when no ERP has it as a customer."""
        ...

    async def credit(self, account_id: str) -> tuple[CreditProfile, Freshness] | None:
        """Return what an account owes and may owe, and how old that is."""
        ...

    async def credit_available(self, account_id: str, open_orders: Money | None) -> Money | None:
        """Return how much more an account may owe."""
        ...

    async def external_refs(self, account: Account) -> tuple[ExternalRef, ...]:
        """Return what systems call an account."""
        ...

    async def ship_tos_of(self, account_id: str) -> tuple[ShipTo, ...]:
        """Return an account's delivery places."""
        ...

    async def ship_to(self, ship_to_id: str) -> ShipTo | None:
        """Return a delivery place."""
        ...

    async def contacts_of(self, account_id: str) -> tuple[Contact, ...]:
        """Return the people at an account."""
        ...

    async def contact(self, contact_id: str) -> Contact | None:
        """Return a person at an account."""
        ...

    async def opportunities_of(self, account_id: str) -> tuple[Opportunity, ...]:
        """Return an account's opportunities."""
        ...

    async def opportunity(self, opportunity_id: str) -> Opportunity | None:
        """Return an opportunity."""
        ...

    async def cases_of(self, account_id: str) -> tuple[ServiceCase, ...]:
        """Return an account's service cases."""
        ...

    async def case(self, case_id: str) -> ServiceCase | None:
        """Return a service case."""
        ...

    async def user(self, user_id: str) -> User | None:
        """Return a person of the distributor."""
        ...

    async def territory(self, territory_id: str) -> Territory | None:
        """Return a sales territory."""
        ...

    async def onboarding(self, onboarding_id: str) -> Onboarding | None:
        """Return a request to become a customer."""
        ...

    async def process(self, process_id: str) -> ProcessRecord | None:
        """Return a process of accounts."""
        ...


class AccountsContext(Protocol):
    """The context of an operation on the accounts subgraph."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def reader(self) -> AccountsReading:
        """Reads of the request."""
        ...
