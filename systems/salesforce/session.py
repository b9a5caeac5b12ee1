"""Our session with the vendor: one token for all calls, renewed once however many calls find it ended."""

from __future__ import annotations

from typing import Any

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import Unexpected
from systems.proof import Proof, SharedProof

__all__ = ["CLIENT", "read_sign_in_refusal", "session"]

CLIENT = "crossdock"
"""What we call ourselves in every call, so that the vendor's news of it tells who made a change."""

_TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path


def read_sign_in_refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    """Return (reason, message, fields) of a sign-in that failed."""
    return str(body["error"]), str(body["error_description"]), ()


def session(client: VendorClient, client_id: str, client_secret: str) -> SharedProof:
    """Return what proves by a session of the OAuth2 client-credentials flow who we are.

    Args:
        client: reaches the vendor without credentials.
        client_id: who we are.
        client_secret: what proves it.
    """
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}

    async def ask() -> Proof:
        answer = await client.submit("sign in", _TOKEN_PATH, form)
        token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
        if not isinstance(token, str) or not token:
            raise Unexpected(SourceSystem.CRM, "sign in", "the answer holds no token")
        return Proof({"authorization": f"Bearer {token}", "sforce-call-options": f"client={CLIENT}"})

    return SharedProof(ask)
