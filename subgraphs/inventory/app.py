"""Wiring of the inventory subgraph."""

from __future__ import annotations

from starlette.types import ASGIApp

from resolvers.inventory.ports import InventoryPorts
from resolvers.inventory.reader import InventoryReader
from resolvers.rows import RowRules
from schema.inventory.item import Item, ShipTo
from schema.inventory.stock import StockPosition
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import ClaimsReader
from subgraphs.inventory.roots import Mutation, Query, Subscription
from subgraphs.refusals import RefusalLog

__all__ = ["build_inventory", "inventory_schema"]

inventory_schema = build_schema(Query, Mutation, Subscription, types=(Item, ShipTo, StockPosition))
"""Schema of the inventory subgraph; its SDL is what the gateway composes."""


def build_inventory(
    ports: InventoryPorts, claims: ClaimsReader, audit: RefusalLog | None = None, rows: RowRules | None = None
) -> ASGIApp:
    """Return the inventory subgraph as an application.

    Args:
        ports: where data comes from.
        claims: reads who asks.
        audit: is told what was refused for want of a right; None tells nobody.
        rows: says which accounts a principal works with; None binds nobody.
    """
    return subgraph_app(inventory_schema, lambda principal: InventoryReader(ports, principal), claims, audit, rows)
