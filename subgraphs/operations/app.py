"""Wiring of the operations subgraph."""

from __future__ import annotations

from starlette.types import ASGIApp

from resolvers.operations.ports import OperationsPorts
from resolvers.operations.reader import OperationsReader
from resolvers.rows import RowRules
from schema.operations.owners import Account, Order, Quote
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import ClaimsReader
from subgraphs.operations.roots import Query
from subgraphs.operations.work import Mutation, Subscription
from subgraphs.refusals import RefusalLog

__all__ = ["build_operations", "operations_schema"]

operations_schema = build_schema(Query, Mutation, Subscription, types=(Account, Order, Quote))
"""Schema of the operations subgraph; its SDL is what the gateway composes."""


def build_operations(
    ports: OperationsPorts, claims: ClaimsReader, audit: RefusalLog | None = None, rows: RowRules | None = None
) -> ASGIApp:
    """Return the operations subgraph as an application.

    Args:
        ports: where data comes from.
        claims: reads who asks.
        audit: is told what was refused for want of a right; None tells nobody.
        rows: says which accounts a principal works with; None binds nobody.
    """
    return subgraph_app(operations_schema, lambda principal: OperationsReader(ports, principal), claims, audit, rows)
