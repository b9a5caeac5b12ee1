# No postponed annotations: strawberry reads them.
"""What an account has: delivery places, opportunities, service cases."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.accounts import stubs
from schema.accounts.context import AccountsContext
from schema.accounts.people import User
from schema.enums import CaseStatus
from schema.graphql.values import Address, ExternalRef, Money, Node, external_refs, money
from schema.records import accounts as records

if TYPE_CHECKING:
    from schema.accounts.account import Account

__all__ = ["Opportunity", "ServiceCase", "ShipTo"]

_Ctx = Info[AccountsContext, None]
_Owner = Annotated["Account", strawberry.lazy("schema.accounts.account")]


@strawberry.federation.type(
    keys=["id"], description="A delivery place; without `deliveryDays` every working day is one."
)
class ShipTo(Node):
    """A delivery place."""

    record: strawberry.Private[records.ShipTo]
    code: str
    address: Address
    tax_jurisdiction: str | None
    delivery_days: list[str]
    active: bool

    @classmethod
    def of(cls, record: records.ShipTo) -> "ShipTo":
        """Return the record as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            code=record.code,
            address=Address.of(record.address),
            tax_jurisdiction=record.tax_jurisdiction,
            delivery_days=list(record.delivery_days),
            active=record.active,
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "ShipTo | None":  # noqa: A002 - the key
        """Return the place that a representation names."""
        found = await info.context.reader.ship_to(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def account(self, info: _Ctx) -> _Owner:
        """Whose place it is."""
        return await _owner(info, self.record.account_id, f"ship-to {self.record.id}")


@strawberry.federation.type(keys=["id"], description="A sales opportunity; `stage` is the CRM's own word.")
class Opportunity(Node):
    """A sales opportunity."""

    record: strawberry.Private[records.Opportunity]
    name: str
    stage: str
    amount: Money | None
    close_date: dt.date | None
    external_refs: list[ExternalRef]

    @classmethod
    def of(cls, record: records.Opportunity) -> "Opportunity":
        """Return the record as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            name=record.name,
            stage=record.stage,
            amount=money(record.amount),
            close_date=record.close_date,
            external_refs=external_refs(record.refs),
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "Opportunity | None":  # noqa: A002 - the key
        """Return the opportunity that a representation names."""
        found = await info.context.reader.opportunity(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def account(self, info: _Ctx) -> _Owner:
        """With whom it is."""
        return await _owner(info, self.record.account_id, f"opportunity {self.record.id}")

    @strawberry.field
    async def owner(self, info: _Ctx) -> User | None:
        """Who pursues it."""
        found = None if self.record.owner_id is None else await info.context.reader.user(self.record.owner_id)
        return None if found is None else User.of(found)


@strawberry.federation.type(keys=["id"], description="A service case.")
class ServiceCase(Node):
    """A service case."""

    record: strawberry.Private[records.ServiceCase]
    number: str
    subject: str
    status: CaseStatus
    priority: str
    opened_at: dt.datetime
    first_response_at: dt.datetime | None
    resolved_at: dt.datetime | None
    order: stubs.Order | None

    @classmethod
    def of(cls, record: records.ServiceCase) -> "ServiceCase":
        """Return the record as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            number=record.number,
            subject=record.subject,
            status=record.status,
            priority=record.priority,
            opened_at=record.opened_at,
            first_response_at=record.first_response_at,
            resolved_at=record.resolved_at,
            order=stubs.order(record.order_id),
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "ServiceCase | None":  # noqa: A002 - the key
        """Return the case that a representation names."""
        found = await info.context.reader.case(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def account(self, info: _Ctx) -> _Owner:
        """Whose case it is."""
        return await _owner(info, self.record.account_id, f"case {self.record.number}")


async def _owner(info: _Ctx, account_id: str, of_what: str) -> "Account":
    from schema.accounts.account import Account  # noqa: PLC0415 - accounts list what they have

    found = await info.context.reader.account(account_id)
    if found is None:
        raise LookupError(f"{of_what} is of account {account_id}, which the CRM does not know")
    return Account.of(found)
