# No postponed annotations: strawberry reads them.
"""People at customers, people of the distributor, and their territories."""

import strawberry
from strawberry import Info

from schema.accounts.context import AccountsContext
from schema.records import accounts as records

__all__ = ["Contact", "Territory", "User"]

_Ctx = Info[AccountsContext, None]


@strawberry.federation.type(keys=["id"], description="A person at an account.")
class Contact:
    """A person at an account."""

    id: strawberry.ID
    name: str
    email: str | None
    phone: str | None
    role: str | None

    @classmethod
    def of(cls, record: records.Contact) -> "Contact":
        """Return the record as a graph value."""
        return cls(
            id=strawberry.ID(record.id), name=record.name, email=record.email, phone=record.phone, role=record.role
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "Contact | None":  # noqa: A002 - the key
        """Return the person that a representation names."""
        found = await info.context.reader.contact(id)
        return None if found is None else cls.of(found)


@strawberry.federation.type(keys=["id"], description="A sales territory.")
class Territory:
    """A sales territory."""

    id: strawberry.ID
    code: str
    name: str

    @classmethod
    def of(cls, record: records.Territory) -> "Territory":
        """Return the record as a graph value."""
        return cls(id=strawberry.ID(record.id), code=record.code, name=record.name)

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "Territory | None":  # noqa: A002 - the key
        """Return the territory that a representation names."""
        found = await info.context.reader.territory(id)
        return None if found is None else cls.of(found)


@strawberry.federation.type(keys=["id"], description="A person of the distributor, or whoever asks.")
class User:
    """A person of the distributor, or whoever asks."""

    id: strawberry.ID
    name: str
    roles: list[str]

    @classmethod
    def of(cls, record: records.User) -> "User":
        """Return the record as a graph value."""
        return cls(id=strawberry.ID(record.id), name=record.name, roles=list(record.roles))

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "User | None":  # noqa: A002 - the key
        """Return the person that a representation names."""
        found = await info.context.reader.user(id)
        return None if found is None else cls.of(found)
