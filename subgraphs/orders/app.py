"""Wiring of the orders subgraph."""

from __future__ import annotations

from starlette.types import ASGIApp

from resolvers.orders.answers import OrderAnswers
from resolvers.orders.ports import OrderPorts
from resolvers.rows import RowRules
from schema.orders.order import OrderLine
from schema.orders.owners import Account, Opportunity
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import ClaimsReader
from subgraphs.orders.roots import Mutation, Query, Subscription
from subgraphs.refusals import RefusalLog

__all__ = ["build_orders", "orders_schema"]

orders_schema = build_schema(Query, Mutation, Subscription, types=(Account, Opportunity, OrderLine))
"""Schema of the orders subgraph; its SDL is what the gateway composes."""


def build_orders(
    ports: OrderPorts, claims: ClaimsReader, audit: RefusalLog | None = None, rows: RowRules | None = None
) -> ASGIApp:
    """Return the orders subgraph as an application.

    Args:
        ports: where data comes from.
        claims: reads who asks.
        audit: is told what was refused for want of a right; None tells nobody.
        rows: says which accounts a principal works with; None binds nobody.
    """
    return subgraph_app(orders_schema, lambda principal: OrderAnswers(ports, principal), claims, audit, rows)
