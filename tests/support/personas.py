"""The people and programs of the table of roles, with tokens as an identity provider would give them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import jwt

from gateway.config import IdentitySettings, TokenIdentity
from tests.support.whole import Whole

_SECRET = "a secret that signs the tokens of tests"
_DAY_S = 86_400
_CLAIMS = ("roles", "accounts", "territories", "warehouses")

IDENTITY = IdentitySettings(tokens=TokenIdentity(secret=_SECRET, pass_claims=_CLAIMS))
"""Settings of a gateway that believes these tokens and nothing else."""


@dataclass(frozen=True)
class Persona:
    """Somebody who asks."""

    subject: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    claims: Mapping[str, Any] | None = None

    def token(self) -> str:
        body = {"sub": self.subject, "roles": self.roles, "scope": " ".join(self.scopes), **(self.claims or {})}
        return jwt.encode({**body, "exp": time.time() + _DAY_S}, _SECRET, "HS256")


ALL_TERRITORIES = {"territories": ("*",)}
REP = Persona("user:usr_1", ("SALES",), claims=ALL_TERRITORIES)
MANAGER = Persona("user:usr_4", ("SALES_MANAGER",), ("quote:approve", "margin:read"), ALL_TERRITORIES)
PRICING = Persona("user:usr_5", ("PRICING_DESK",), ("quote:approve",))
CONTROLLER = Persona("user:usr_6", ("CREDIT_CONTROLLER",), ("credit:read", "hold:release", "onboarding:decide"))
REP_OF_CENTRAL = Persona("user:usr_2", ("SALES",), claims={"territories": ("ter_US-C",)})
AGENT = Persona("user:usr_7", ("SERVICE_DESK",), ("credit:read",), ALL_TERRITORIES)
_PLATFORM = ("ops:read", "ops:replay")
OPERATOR = Persona("user:usr_8", ("OPERATIONS",), _PLATFORM, {"warehouses": ("*",)})
OPERATOR_OF_WEST = Persona("user:usr_8", ("OPERATIONS",), _PLATFORM, {"warehouses": ("W01",)})
BUYER = Persona("user:pia", ("PORTAL_BUYER",), claims={"accounts": ("acc_1",)})
SIBLING = Persona("user:pat", ("PORTAL_BUYER",), claims={"accounts": ("acc_3",)})
PARENT_ADMIN = Persona("user:pam", ("PORTAL_ADMIN",), claims={"accounts": ("acc_parent",)})


@asynccontextmanager
async def acting(whole: Whole, who: Persona) -> AsyncIterator[Whole]:
    """Be somebody: yield the same whole with a client that shows this person's token."""
    headers = {"authorization": f"Bearer {who.token()}"}
    async with httpx.AsyncClient(base_url=whole.url, trust_env=False, timeout=30, headers=headers) as http:
        yield replace(whole, http=http)
