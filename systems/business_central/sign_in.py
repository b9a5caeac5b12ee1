"""Access tokens by OAuth2 client credentials."""

from __future__ import annotations

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import AuthFailed, Rejected, Unexpected
from systems.proof import Proof, SharedProof

__all__ = ["sign_in"]

TOKEN_PATH = "/oauth2/v2.0/token"  # noqa: S105 - an address
SCOPE = "https://api.businesscentral.dynamics.com/.default"

EARLY_S = 60.0
"""Seconds before its end at which a token is renewed, so that none ends under way."""


def sign_in(client: VendorClient, client_id: str, client_secret: str) -> SharedProof:
    """Return what proves by a token who we are.

    It raises AuthFailed when the credentials are refused.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "scope": SCOPE,
    }

    async def ask() -> Proof:
        try:
            body = (await client.submit("sign in", TOKEN_PATH, form)).body
        except Rejected as refusal:
            raise AuthFailed(SourceSystem.CLOUD_ERP, "sign in", "the credentials are refused") from refusal
        try:
            life_s, token = float(body["expires_in"]), str(body["access_token"])
        except (LookupError, TypeError, ValueError) as error:
            raise Unexpected(SourceSystem.CLOUD_ERP, "sign in", "the answer holds no access token") from error
        return Proof({"authorization": f"Bearer {token}"}, life_s)

    return SharedProof(ask, EARLY_S)
