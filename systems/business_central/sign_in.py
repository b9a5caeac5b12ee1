"""Access tokens by OAuth2 client credentials: asked for once, kept until shortly before they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextvars import ContextVar

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import AuthFailed, Rejected, Unexpected

__all__ = ["SignIn"]

TOKEN_PATH = "/oauth2/v2.0/token"  # noqa: S105 - an address
SCOPE = "https://api.businesscentral.dynamics.com/.default"

EARLY_S = 60.0
"""Seconds before its end at which a token is renewed, so that none ends under way."""

_seen: ContextVar[int] = ContextVar("seen", default=0)
"""Which of the tokens the running call was given: when that one is refused, others may have renewed it already."""


class SignIn:
    """Proves who we are; calls that need a new token at the same time share one."""

    def __init__(self, client: VendorClient, client_id: str, client_secret: str) -> None:
        self._client = client
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": SCOPE,
        }
        self._lock = asyncio.Lock()
        self._proof: Mapping[str, str] = {}
        self._ends_at = 0.0
        self._turn = 0

    async def __call__(self, renew: bool) -> Mapping[str, str]:
        """Return the header that proves who we are; ``renew`` asks for a new token because the last was refused.

        Raises:
            AuthFailed: the credentials are refused.
            ConnectorError: the sign-in does not answer as agreed.
        """
        seen = _seen.get() if renew else self._turn
        if renew or time.monotonic() >= self._ends_at:
            async with self._lock:
                if self._turn == seen:
                    await self._renew()
        _seen.set(self._turn)
        return self._proof

    async def _renew(self) -> None:
        try:
            body = (await self._client.submit("sign in", TOKEN_PATH, self._form)).body
        except Rejected as refusal:
            raise AuthFailed(SourceSystem.CLOUD_ERP, "sign in", "the credentials are refused") from refusal
        try:
            life_s, token = float(body["expires_in"]), str(body["access_token"])
        except (LookupError, TypeError, ValueError) as error:
            raise Unexpected(SourceSystem.CLOUD_ERP, "sign in", "the answer holds no access token") from error
        self._proof = {"authorization": f"Bearer {token}"}
        self._ends_at = time.monotonic() + max(life_s - EARLY_S, life_s / 2)
        self._turn += 1
