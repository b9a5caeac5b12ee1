# No postponed annotations: strawberry reads them.
"""Problems of stock."""

import datetime as dt
from typing import Annotated

import strawberry

from schema.graphql.problems import (
    DependencyUnavailable,
    IdempotencyConflict,
    Problem,
    ValidationFailed,
    said_of,
    shared_problem,
)
from schema.graphql.values import Quantity
from schema.records import problems

__all__ = ["InventoryProblem", "Stockout", "inventory_problem", "stockout"]


@strawberry.federation.type(shareable=True, description="Not enough stock.")
class Stockout(Problem):
    """Not enough stock; ``next_available`` is the day on which the quantity can be promised."""

    line_no: int | None
    sku: str
    requested: Quantity
    available: Quantity
    next_available: dt.date | None
    substitute_skus: list[str]


InventoryProblem = Annotated[
    Stockout | ValidationFailed | IdempotencyConflict | DependencyUnavailable,
    strawberry.union("InventoryProblem", description="Why stock was not held or given back."),
]


def stockout(record: problems.Stockout) -> Stockout:
    """Return a lack of stock as a graph value."""
    return Stockout(
        **said_of(record),
        line_no=record.line_no,
        sku=record.sku,
        requested=Quantity.of(record.requested),
        available=Quantity.of(record.available),
        next_available=record.next_available,
        substitute_skus=list(record.substitute_skus),
    )


def inventory_problem(record: problems.Problem) -> InventoryProblem:
    """Return a problem of stock as a graph value.

    Raises:
        TypeError: the record is no problem of this domain.
    """
    shown = stockout(record) if isinstance(record, problems.Stockout) else shared_problem(record)
    if not isinstance(shown, Stockout | ValidationFailed | IdempotencyConflict | DependencyUnavailable):
        raise TypeError(f"{type(record).__name__} is no problem of inventory")
    return shown
