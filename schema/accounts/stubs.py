# No postponed annotations: strawberry reads them.
"""Entities of other subgraphs that accounts refer to and know nothing of but the id."""

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import ProcessState

__all__ = ["Order", "ProcessInstance", "order"]


@strawberry.federation.type(keys=[Key(fields=FieldSet("id"), resolvable=False)])
class Order:
    """An order; orders know more."""

    id: strawberry.ID


@strawberry.federation.type(keys=[Key(fields=FieldSet("id"), resolvable=False)])
class ProcessInstance:
    """A process; operations know more."""

    id: strawberry.ID
    state: ProcessState = strawberry.federation.field(external=True)


def order(order_id: str | None) -> Order | None:
    """Return an order that may be missing."""
    return None if order_id is None else Order(id=strawberry.ID(order_id))
