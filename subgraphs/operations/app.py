"""Wiring of the operations subgraph."""

from __future__ import annotations

from starlette.types import ASGIApp

from resolvers.operations.ports import OperationsPorts
from resolvers.operations.reader import OperationsReader
from schema.operations.owners import Account, Order, Quote
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import ClaimsReader
from subgraphs.operations.roots import Query

__all__ = ["build_operations", "operations_schema"]

operations_schema = build_schema(Query, types=(Account, Order, Quote))
"""Schema of the operations subgraph; its SDL is what the gateway composes."""


def build_operations(ports: OperationsPorts, claims: ClaimsReader) -> ASGIApp:
    """Return the operations subgraph as an application.

    Args:
        ports: where data comes from.
        claims: reads who asks.
    """
    return subgraph_app(operations_schema, lambda principal: OperationsReader(ports, principal), claims)
