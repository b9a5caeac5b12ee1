# No postponed annotations: strawberry reads them.
"""Entities of other subgraphs that orders refer to and know nothing of but the id, and what the id carries."""

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import ProcessState
from schema.records.catalog import item_id
from schema.records.inventory import warehouse_id

__all__ = ["Item", "ProcessInstance", "ShipTo", "User", "Warehouse", "item", "ship_to", "user", "warehouse"]


_ELSEWHERE = Key(fields=FieldSet("id"), resolvable=False)


@strawberry.federation.type(keys=[_ELSEWHERE])
class Item:
    """An item; the catalog knows more."""

    id: strawberry.ID
    sku: str = strawberry.federation.field(external=True)


@strawberry.federation.type(keys=[_ELSEWHERE])
class Warehouse:
    """A warehouse; inventory knows more."""

    id: strawberry.ID
    code: str = strawberry.federation.field(external=True)


@strawberry.federation.type(keys=[_ELSEWHERE])
class ShipTo:
    """A delivery place; accounts know more."""

    id: strawberry.ID


@strawberry.federation.type(keys=[_ELSEWHERE])
class User:
    """A person; accounts know more."""

    id: strawberry.ID


@strawberry.federation.type(keys=[_ELSEWHERE])
class ProcessInstance:
    """A process; operations know more."""

    id: strawberry.ID
    state: ProcessState = strawberry.federation.field(external=True)


def item(sku: str) -> Item:
    """Return the item with this sku."""
    return Item(id=strawberry.ID(item_id(sku)), sku=sku)


def warehouse(code: str) -> Warehouse:
    """Return the warehouse with this code."""
    return Warehouse(id=strawberry.ID(warehouse_id(code)), code=code)


def ship_to(ship_to_id: str | None) -> ShipTo | None:
    """Return a delivery place that may be missing."""
    return None if ship_to_id is None else ShipTo(id=strawberry.ID(ship_to_id))


def user(subject: str | None) -> User | None:
    """Return the person behind ``user:<id>`` or a bare id, None for systems and nobody."""
    if subject is None or subject.startswith("system:"):
        return None
    return User(id=strawberry.ID(subject.removeprefix("user:")))
