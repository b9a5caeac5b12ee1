"""Tickets of a sign-on."""

from __future__ import annotations

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import Unexpected
from systems.proof import Proof, SharedProof

__all__ = ["sign_on"]

PATH = "/svc/SIGNON"

EARLY_S = 20.0
"""Seconds before its end at which a ticket is renewed, so that none ends under way."""


def sign_on(client: VendorClient, user: str, password: str) -> SharedProof:
    """Return what proves by a ticket who we are.

    It raises AuthFailed when user or password are refused.
    """
    question = {"USER": user, "PASWD": password}

    async def ask() -> Proof:
        body = (await client.query("sign on", PATH, question)).body
        try:
            life_s, ticket = float(body["TTL"]), str(body["TICKET"])
        except (LookupError, TypeError, ValueError) as error:
            raise Unexpected(SourceSystem.LEGACY_ERP, "sign on", "the answer holds no ticket") from error
        return Proof({"x-ticket": ticket}, life_s)

    return SharedProof(ask, EARLY_S)
