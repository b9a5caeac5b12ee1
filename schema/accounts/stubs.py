# No postponed annotations: strawberry reads them.
"""Entities of other subgraphs that accounts refer to and know nothing of but the id."""

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

__all__ = ["Order", "order"]


@strawberry.federation.type(keys=[Key(fields=FieldSet("id"), resolvable=False)])
class Order:
    """An order; orders know more."""

    id: strawberry.ID


def order(order_id: str | None) -> Order | None:
    """Return an order that may be missing."""
    return None if order_id is None else Order(id=strawberry.ID(order_id))
