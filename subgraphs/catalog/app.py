"""Wiring of the catalog subgraph."""

from __future__ import annotations

from starlette.types import ASGIApp

from resolvers.catalog.ports import CatalogPorts
from resolvers.catalog.reader import CatalogReader
from resolvers.rows import RowRules
from schema.catalog.account import Account
from schema.catalog.agreement import PriceAgreement
from schema.catalog.item import Category
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.catalog.roots import Query, Subscription
from subgraphs.claims import ClaimsReader
from subgraphs.refusals import RefusalLog

__all__ = ["build_catalog", "catalog_schema"]

catalog_schema = build_schema(Query, subscription=Subscription, types=(Account, Category, PriceAgreement))
"""Schema of the catalog subgraph; its SDL is what the gateway composes."""


def build_catalog(
    ports: CatalogPorts, claims: ClaimsReader, audit: RefusalLog | None = None, rows: RowRules | None = None
) -> ASGIApp:
    """Return the catalog subgraph as an application.

    Args:
        ports: where data comes from.
        claims: reads who asks.
        audit: is told what was refused for want of a right; None tells nobody.
        rows: says which accounts a principal works with; None binds nobody.
    """
    return subgraph_app(catalog_schema, lambda principal: CatalogReader(ports, principal), claims, audit, rows)
