# No postponed annotations: strawberry reads them.
"""Orders, quotes, accounts and persons as operations see them: what happened to them, and which processes ran."""

import strawberry
from strawberry import Info
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from schema.graphql.paging import Connection, page_request
from schema.operations.context import OperationsContext
from schema.operations.lineage import LineageEvent
from schema.operations.paging import history_connection, place_after
from schema.operations.process import ProcessInstance

__all__ = ["Account", "Order", "Quote", "User", "account", "order", "user"]

_Ctx = Info[OperationsContext, None]

DEFAULT_FIRST = 100
"""Events of a page when the caller does not say."""


@strawberry.federation.type(keys=["id"])
class Order:
    """An order; the orders subgraph knows more. What the caller may not see is null."""

    id: strawberry.ID

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> "Order":  # noqa: A002 - the key is called so
        """Return the order; what may be seen of it is decided field by field."""
        return cls(id=id)

    @strawberry.field
    async def lineage(
        self, info: _Ctx, first: int | None = DEFAULT_FIRST, after: str | None = None
    ) -> Connection[LineageEvent] | None:
        """What happened to it and its quote, shipments, invoices and returns, earliest first."""
        wanted = page_request(first, after, DEFAULT_FIRST).first
        found = await info.context.reader.order_lineage(self.id, wanted, place_after(after))
        return None if found is None else history_connection(found, after)

    @strawberry.field
    async def touches(self, info: _Ctx) -> int | None:
        """How often people had to change or unblock it; null to customers and for stories too long to count."""
        return await info.context.reader.touches(self.id)

    @strawberry.field
    async def processes(self, info: _Ctx) -> list[ProcessInstance] | None:
        """Processes about it, oldest first."""
        found = await info.context.reader.processes_of_order(self.id)
        return None if found is None else [ProcessInstance.of(record) for record in found]


@strawberry.federation.type(keys=["id"])
class Quote:
    """A quote; the orders subgraph knows more. What the caller may not see is null."""

    id: strawberry.ID

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> "Quote":  # noqa: A002 - the key is called so
        """Return the quote; what may be seen of it is decided field by field."""
        return cls(id=id)

    @strawberry.field
    async def lineage(
        self, info: _Ctx, first: int | None = DEFAULT_FIRST, after: str | None = None
    ) -> Connection[LineageEvent] | None:
        """What happened to it and to what became of it, earliest first."""
        wanted = page_request(first, after, DEFAULT_FIRST).first
        found = await info.context.reader.quote_lineage(self.id, wanted, place_after(after))
        return None if found is None else history_connection(found, after)


@strawberry.federation.type(keys=["id"])
class Account:
    """A customer; the accounts subgraph knows more. What the caller may not see is null."""

    id: strawberry.ID

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> "Account":  # noqa: A002 - the key is called so
        """Return the account; what may be seen of it is decided field by field."""
        return cls(id=id)

    @strawberry.field
    async def lineage(
        self, info: _Ctx, first: int | None = DEFAULT_FIRST, after: str | None = None
    ) -> Connection[LineageEvent] | None:
        """What happened to it and its documents, earliest first."""
        wanted = page_request(first, after, DEFAULT_FIRST).first
        found = await info.context.reader.account_lineage(self.id, wanted, place_after(after))
        return None if found is None else history_connection(found, after)


@strawberry.federation.type(keys=[Key(fields=FieldSet("id"), resolvable=False)])
class User:
    """A person; accounts know more."""

    id: strawberry.ID


def order(order_id: str | None) -> Order | None:
    """Return an order that may be missing."""
    return None if order_id is None else Order(id=strawberry.ID(order_id))


def account(account_id: str | None) -> Account | None:
    """Return an account that may be missing."""
    return None if account_id is None else Account(id=strawberry.ID(account_id))


def user(subject: str | None) -> User | None:
    """Return the person behind ``user:<id>`` or a bare id, None for systems and nobody."""
    if subject is None or subject.startswith("system:"):
        return None
    return User(id=strawberry.ID(subject.removeprefix("user:")))
