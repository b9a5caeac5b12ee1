# No postponed annotations: strawberry reads them.
"""Accounts: the CRM's customer with the terms that its ERP has for it.

What the ERP tells is null for an account that no ERP has as a customer yet, and null with an error while the ERP is
away: so it costs these fields and not the account.
"""

from datetime import UTC
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.accounts.belongings import Opportunity, ServiceCase, ShipTo
from schema.accounts.context import AccountsContext
from schema.accounts.people import Contact, Territory, User
from schema.accounts.terms import CreditProfile, TaxRegistration
from schema.enums import AccountStatus, CaseStatus, ErpHome
from schema.graphql.decorators import federated_field
from schema.graphql.paging import Connection, connection, page_request
from schema.graphql.places import Place, page_of
from schema.graphql.values import ExternalRef, Money, Node, external_refs, money
from schema.records import accounts as records
from schema.records import values

__all__ = ["Account"]

_Ctx = Info[AccountsContext, None]

_CLOSED = frozenset({CaseStatus.RESOLVED, CaseStatus.CLOSED})


@strawberry.federation.type(
    keys=["id", "number"],
    description=(
        "A customer, or somebody who may become one: then no ERP has terms for it and they are null. Of opportunities "
        "and cases, `open: true` gives open ones, `open: false` those that are over, and `open: null` all."
    ),
)
class Account(Node):
    """A customer."""

    record: strawberry.Private[records.Account]
    number: str
    name: str
    legal_name: str | None
    status: AccountStatus
    version: int
    erp_home: ErpHome
    open_order_value: Money | None = strawberry.federation.field(external=True)

    @classmethod
    def of(cls, record: records.Account, open_orders: Money | None = None) -> "Account":
        """Return the record as a graph value, with the value of open orders where it is told."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            number=record.number,
            name=record.name,
            legal_name=record.legal_name,
            status=record.status,
            version=record.version,
            erp_home=record.erp_home,
            open_order_value=open_orders,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        number: str | None = None,
        **required: Any,
    ) -> "Account | None":
        """Return the account that a representation names, with the value of open orders that it brings along."""
        reader = info.context.reader
        found = None
        if id is not None:
            found = await reader.account(id)
        elif number is not None:
            found = await reader.account_by_number(number)
        return None if found is None else cls.of(found, _told(required.get("openOrderValue")))

    @strawberry.field
    async def parent(self, info: _Ctx) -> "Account | None":
        """The account above this one."""
        return await self._other(info, self.record.parent_id)

    @strawberry.field
    async def children(self, info: _Ctx, first: int | None = 50, after: str | None = None) -> Connection["Account"]:
        """Accounts right below this one, by number."""
        wanted = page_request(first, after, default=50)
        found = await info.context.reader.children(self.id)
        return connection(page_of(found, lambda row: Place(row.number, row.id), wanted), Account.of, after)

    @strawberry.field
    async def bill_to(self, info: _Ctx) -> "Account | None":
        """The account that is billed instead; null when this one is."""
        return await self._other(info, self.record.bill_to_id)

    @strawberry.field
    async def ship_tos(self, info: _Ctx, first: int | None = 50, after: str | None = None) -> Connection[ShipTo] | None:
        """Delivery places, by code."""
        wanted = page_request(first, after, default=50)
        found = await info.context.reader.ship_tos_of(self.id)
        return connection(page_of(found, lambda row: Place(row.code, row.id), wanted), ShipTo.of, after)

    @strawberry.field
    async def contacts(self, info: _Ctx) -> list[Contact]:
        """People at the account, by name."""
        return [Contact.of(entry) for entry in await info.context.reader.contacts_of(self.id)]

    @strawberry.field
    async def currency(self, info: _Ctx) -> str | None:
        """The currency that the account buys in, ISO 4217; null until an ERP has it as a customer."""
        found = await info.context.reader.terms(self.id)
        return None if found is None else found.currency

    @strawberry.field
    async def payment_terms(self, info: _Ctx) -> str | None:
        """When invoices are due, in the words of the ERP."""
        found = await info.context.reader.terms(self.id)
        return None if found is None else found.payment_terms

    @strawberry.field
    async def price_group(self, info: _Ctx) -> str | None:
        """The group whose prices hold for the account."""
        found = await info.context.reader.terms(self.id)
        return None if found is None else found.price_group

    @strawberry.field
    def territory(self) -> Territory | None:
        """The sales territory that it lies in."""
        return None if self.record.territory is None else Territory.of(self.record.territory)

    @strawberry.field
    async def owner(self, info: _Ctx) -> User | None:
        """Who looks after it."""
        found = None if self.record.owner_id is None else await info.context.reader.user(self.record.owner_id)
        return None if found is None else User.of(found)

    @strawberry.field
    async def tax_registrations(self, info: _Ctx) -> list[TaxRegistration] | None:
        """Tax ids and exemptions."""
        found = await info.context.reader.terms(self.id)
        return [] if found is None else [TaxRegistration.of(entry) for entry in found.tax_registrations]

    @strawberry.field
    async def external_refs(self, info: _Ctx) -> list[ExternalRef]:
        """What systems call it; the ERP's own id is missing while the ERP is away."""
        return external_refs(await info.context.reader.external_refs(self.record))

    @strawberry.field
    async def credit(self, info: _Ctx) -> CreditProfile | None:
        """What it owes and may owe."""
        found = await info.context.reader.credit(self.id)
        return None if found is None else CreditProfile.of(*found)

    @federated_field(requires=["openOrderValue { amount currency }"])
    async def credit_available(self, info: _Ctx) -> Money | None:
        """The limit less what is owed and what is ordered; below zero when it owes more than it may.

        Null without a limit, for who may not know, and while the value of open orders is unknown.
        """
        told = self.open_order_value
        open_orders = None if told is None else values.Money(told.amount, told.currency)
        return money(await info.context.reader.credit_available(self.id, open_orders))

    @strawberry.field
    async def opportunities(
        self,
        info: _Ctx,
        open: bool | None = True,  # noqa: A002 - the argument is called so
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[Opportunity]:
        """Opportunities, latest close date first; `open: false` gives closed ones, `open: null` all."""
        wanted = page_request(first, after, default=20)
        found = await info.context.reader.opportunities_of(self.id)
        rows = [row for row in found if open is None or row.is_open is open]
        return connection(page_of(rows, _by_close_date, wanted, is_descending=True), Opportunity.of, after)

    @strawberry.field
    async def cases(
        self,
        info: _Ctx,
        open: bool | None = True,  # noqa: A002 - the argument is called so
        first: int | None = 20,
        after: str | None = None,
    ) -> Connection[ServiceCase]:
        """Service cases, newest first; `open: false` gives resolved and closed ones, `open: null` all."""
        wanted = page_request(first, after, default=20)
        found = await info.context.reader.cases_of(self.id)
        rows = [row for row in found if open is None or (row.status not in _CLOSED) is open]
        return connection(page_of(rows, _by_opening, wanted, is_descending=True), ServiceCase.of, after)

    async def _other(self, info: _Ctx, account_id: str | None) -> "Account | None":
        found = None if account_id is None else await info.context.reader.account(account_id)
        return None if found is None else Account.of(found)


def _by_close_date(row: records.Opportunity) -> Place:
    return Place("" if row.close_date is None else row.close_date.isoformat(), row.id)


def _by_opening(row: records.ServiceCase) -> Place:
    return Place(row.opened_at.astimezone(UTC).isoformat(timespec="microseconds"), row.id)


def _told(value: dict[str, Any] | None) -> Money | None:
    """Return the amount that a representation carries."""
    return None if value is None else Money(amount=Decimal(str(value["amount"])), currency=value["currency"])
