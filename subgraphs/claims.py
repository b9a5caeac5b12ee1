"""Who asks, from the header that the gateway signs; nothing else of a request is believed.

``v1.<base64url(JSON)>.<base64url(HMAC-SHA256(key, "v1." + base64url(JSON)))>``, without padding; JSON is
``{"sub", "roles", "scopes", "accounts", "territories", "warehouses", "exp"}``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping

import orjson

from schema.records.identity import ANONYMOUS, Principal

__all__ = ["HEADER", "BadClaims", "ClaimsReader"]

HEADER = "crossdock-claims"
MAX_CHARS = 16 * 1024
"""Longest header that is looked at."""


class BadClaims(Exception):
    """The header was not signed by the gateway, has expired, or is malformed."""


class ClaimsReader:
    """Reads and verifies the header.

    Args:
        key: secret shared with the gateway.
        clock: Unix time in seconds.
    """

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key.encode()
        self._clock = clock

    def principal(self, headers: Mapping[str, str]) -> Principal:
        """Return who asks; a request without the header is anonymous and sees nothing of any account.

        Raises:
            BadClaims: there is a header that proves nothing.
        """
        given = headers.get(HEADER)
        if given is None:
            return ANONYMOUS
        signed, _, signature = given.rpartition(".")
        expected = hmac.new(self._key, signed.encode(), hashlib.sha256).digest()
        if len(given) > MAX_CHARS or not signed.startswith("v1."):
            raise BadClaims("the claims are malformed")
        try:
            proof = _decoded(signature)
            if not hmac.compare_digest(expected, proof):
                raise BadClaims("the claims are not signed by the gateway")
            claims = orjson.loads(_decoded(signed.removeprefix("v1.")))
            expires = float(claims["exp"])
        except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise BadClaims("the claims are malformed") from error
        if expires < self._clock():
            raise BadClaims("the claims have expired")
        if claims.get("sub") is None:
            return ANONYMOUS
        accounts = claims.get("accounts")
        return Principal(
            subject=str(claims["sub"]),
            roles=_texts(claims.get("roles")),
            scopes=_texts(claims.get("scopes")),
            accounts=None if accounts is None else _texts(accounts),
            territories=_texts(claims.get("territories")),
            warehouses=_texts(claims.get("warehouses")),
        )


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, Iterable) or isinstance(value, str):
        return ()
    return tuple(str(entry) for entry in value)
