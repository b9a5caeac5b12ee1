"""Requests to a subgraph as the gateway sends them: over its ASGI application, with signed claims."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.types import ASGIApp

from gateway.server.claims import ClaimsSigner
from gateway.server.principal import ANONYMOUS as STRANGER
from gateway.server.principal import Principal
from subgraphs.claims import HEADER, ClaimsReader

__all__ = ["CLAIMS", "STAFF", "STRANGER", "ask", "claims_header", "customer", "data", "entities", "staff"]

_KEY = "a secret of subgraphs"
_LIFETIME_S = 600

CLAIMS = ClaimsReader(_KEY)


def staff(*scopes: str, role: str = "SALES") -> Principal:
    """Return one of the distributor's people, who works in all warehouses if in any."""
    return Principal("user:ann", frozenset(scopes), claims=(("roles", (role,)), ("warehouses", ("*",))))


def shop(*account_ids: str) -> Principal:
    """Return a program that acts for these accounts."""
    claims = (("accounts", account_ids), ("roles", ("INTEGRATION",)))
    return Principal("system:shop", frozenset(), claims=claims)


def warehouse_worker(*codes: str, scopes: tuple[str, ...] = ("ops:read", "ops:replay")) -> Principal:
    """Return somebody of operations who works in these warehouses."""
    claims = (("roles", ("OPERATIONS",)), ("warehouses", codes))
    return Principal("user:wim", frozenset(scopes), claims=claims)


def customer(*account_ids: str, scopes: tuple[str, ...] = ()) -> Principal:
    """Return somebody who is bound to accounts."""
    claims = (("accounts", account_ids), ("roles", ("PORTAL_BUYER",)))
    return Principal("user:pia", frozenset(scopes), claims=claims)


STAFF = staff()


def claims_header(who: Principal) -> tuple[str, str]:
    """Return the header by which the gateway says who asks."""
    return ClaimsSigner(HEADER, _KEY, _LIFETIME_S).header(who)


async def ask(app: ASGIApp, query: str, who: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """Return the whole answer to a query."""
    headers = dict([claims_header(who)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://subgraph") as http:
        answer = await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    body: dict[str, Any] = answer.json()
    return body


async def data(app: ASGIApp, query: str, who: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """Return the data of an answer that has no errors."""
    answer = await ask(app, query, who, **variables)
    assert "errors" not in answer, answer["errors"]
    found: dict[str, Any] = answer["data"]
    return found


async def entities(app: ASGIApp, selection: str, *representations: dict[str, Any], who: Principal = STAFF) -> list[Any]:
    """Return the entities that representations name, with these fields."""
    query = f"query ($of: [_Any!]!) {{ _entities(representations: $of) {{ {selection} }} }}"
    found: list[Any] = (await data(app, query, who, of=list(representations)))["_entities"]
    return found
