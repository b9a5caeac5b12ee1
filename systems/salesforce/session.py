"""Our session with the vendor: one token for all calls, renewed once however many calls find it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import Unexpected

__all__ = ["CLIENT", "Session", "read_sign_in_refusal"]

CLIENT = "crossdock"
"""What we call ourselves in every call, so that the vendor's news of it tells who made a change."""

_TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path

_sent: ContextVar[str | None] = ContextVar("sent", default=None)
"""The token that the running call carried last; when it is refused, only that one is out of date."""


def read_sign_in_refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    """Return (reason, message, fields) of a sign-in that failed."""
    return str(body["error"]), str(body["error_description"]), ()


class Session:
    """A session of the OAuth2 client-credentials flow.

    Args:
        client: reaches the vendor without credentials.
        client_id: who we are.
        client_secret: what proves it.
    """

    def __init__(self, client: VendorClient, client_id: str, client_secret: str) -> None:
        self._client = client
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self._token: str | None = None
        self._lock = asyncio.Lock()

    async def headers(self, refused: bool) -> Mapping[str, str]:
        """Return the headers of the session; signs in when there is none, or the call's last token was refused.

        Raises:
            AuthFailed: the vendor does not know us.
            ConnectorError: the sign-in got no answer.
        """
        async with self._lock:
            if self._token is None or (refused and self._token == _sent.get()):
                self._token = None
                self._token = await self._sign_in()
            token = self._token
        _sent.set(token)
        return {"authorization": f"Bearer {token}", "sforce-call-options": f"client={CLIENT}"}

    async def _sign_in(self) -> str:
        answer = await self._client.submit("sign in", _TOKEN_PATH, self._form)
        token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
        if not isinstance(token, str) or not token:
            raise Unexpected(SourceSystem.CRM, "sign in", "the answer holds no token")
        return token
