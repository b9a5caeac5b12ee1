"""Tickets of a sign-on: asked for once, kept until shortly before they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextvars import ContextVar

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import Unexpected

__all__ = ["SignOn"]

PATH = "/svc/SIGNON"

EARLY_S = 20.0
"""Seconds before its end at which a ticket is renewed, so that none ends under way."""

_seen: ContextVar[int] = ContextVar("seen", default=0)
"""Which of the tickets the running call was given: when that one is refused, others may have renewed it already."""


class SignOn:
    """Proves who we are; calls that need a new ticket at the same time share one."""

    def __init__(self, client: VendorClient, user: str, password: str) -> None:
        self._client = client
        self._question = {"USER": user, "PASWD": password}
        self._lock = asyncio.Lock()
        self._proof: Mapping[str, str] = {}
        self._ends_at = 0.0
        self._turn = 0

    async def __call__(self, renew: bool) -> Mapping[str, str]:
        """Return the header that proves who we are; ``renew`` asks for a new ticket because the last was refused.

        Raises:
            AuthFailed: user or password are refused.
            ConnectorError: the sign-on does not answer as agreed.
        """
        seen = _seen.get() if renew else self._turn
        if renew or time.monotonic() >= self._ends_at:
            async with self._lock:
                if self._turn == seen:
                    await self._renew()
        _seen.set(self._turn)
        return self._proof

    async def _renew(self) -> None:
        body = (await self._client.query("sign on", PATH, self._question)).body
        try:
            life_s, ticket = float(body["TTL"]), str(body["TICKET"])
        except (LookupError, TypeError, ValueError) as error:
            raise Unexpected(SourceSystem.LEGACY_ERP, "sign on", "the answer holds no ticket") from error
        self._proof = {"x-ticket": ticket}
        self._ends_at = time.monotonic() + max(life_s - EARLY_S, life_s / 2)
        self._turn += 1
