"""Wiring of the accounts subgraph."""

from __future__ import annotations

from starlette.types import ASGIApp

from resolvers.accounts.ports import AccountPorts
from resolvers.accounts.reader import AccountReader
from resolvers.rows import RowRules
from subgraphs.accounts.roots import Mutation, Query, Subscription
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import ClaimsReader
from subgraphs.refusals import RefusalLog

__all__ = ["accounts_schema", "build_accounts"]

accounts_schema = build_schema(Query, Mutation, Subscription)
"""Schema of the accounts subgraph; its SDL is what the gateway composes."""


def build_accounts(
    ports: AccountPorts, claims: ClaimsReader, audit: RefusalLog | None = None, rows: RowRules | None = None
) -> ASGIApp:
    """Return the accounts subgraph as an application.

    Args:
        ports: where data comes from.
        claims: reads who asks.
        audit: is told what was refused for want of a right; None tells nobody.
        rows: says which accounts a principal works with; None binds nobody.
    """
    return subgraph_app(accounts_schema, lambda principal: AccountReader(ports, principal), claims, audit, rows)
