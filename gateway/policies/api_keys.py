"""Keys that integrations show instead of tokens. Settings hold their hashes, so that a copy of them opens nothing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from gateway.config import ApiKeySettings
from gateway.errors import ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Principal

__all__ = ["ApiKeys"]

MAX_KEY_CHARS = 512
"""Longest key that is looked at."""


class ApiKeys:
    """An identity: the principal whose key a header carries; anonymous without the header."""

    def __init__(self, keys: tuple[ApiKeySettings, ...], header: str) -> None:
        self._header = header
        self._known = tuple(
            (
                bytes.fromhex(key.sha256),
                Principal(
                    key.subject, frozenset(key.scopes), frozenset(key.policies), tuple(sorted(key.claims.items()))
                ),
            )
            for key in keys
        )

    def __call__(self, headers: Mapping[str, str]) -> Principal:
        """Return who a request comes from.

        Raises:
            RequestError: UNAUTHENTICATED, nobody has this key.
        """
        given = headers.get(self._header)
        if given is None:
            return ANONYMOUS
        digest = hashlib.sha256(given[:MAX_KEY_CHARS].encode()).digest()
        found: Principal | None = None
        for known, principal in self._known:  # all of them, so that the time tells nothing of which one it is
            if hmac.compare_digest(known, digest):
                found = principal
        if found is None:
            message = f"the key in {self._header} is not known; ask whoever runs this gateway for one"
            raise RequestError(ErrorCode.UNAUTHENTICATED, message, http_status=401)
        return found
