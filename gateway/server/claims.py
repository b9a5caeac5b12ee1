"""Who asks, as subgraphs get it: verified claims in a signed header, never the client's own words.

``v1.<base64url(JSON)>.<base64url(HMAC-SHA256(key, "v1." + base64url(JSON)))>``, without padding. The JSON object holds
the principal's claims, ``sub`` (null for anonymous), ``scopes`` and ``exp`` (Unix seconds). A subgraph verifies the
signature in constant time, then ``exp``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

import orjson

from gateway.server.principal import Principal

__all__ = ["ClaimsSigner"]

MAX_REMEMBERED = 10_000
"""Principals whose header is remembered; one more starts the memory afresh."""


class ClaimsSigner:
    """Makes the header of a principal.

    Within half of its lifetime the same header serves again, so that identical requests in flight stay identical.

    Args:
        header: name of the header, lower case.
        key: secret shared with the subgraphs.
        lifetime_s: seconds until a header is no longer valid.
        clock: Unix time in seconds.
    """

    def __init__(self, header: str, key: str, lifetime_s: float, clock: Callable[[], float] = time.time) -> None:
        self._header = header
        self._key = key.encode()
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._made: dict[Principal, tuple[float, tuple[str, str]]] = {}

    def header(self, principal: Principal) -> tuple[str, str]:
        """Return name and value for a request of ``principal``."""
        now = self._clock()
        found = self._made.get(principal)
        if found is not None and found[0] > now:
            return found[1]
        claims = {
            **dict(principal.claims),
            "sub": principal.subject,
            "scopes": sorted(principal.scopes),
            "exp": int(now + self._lifetime_s),
        }
        signed = b"v1." + _base64(orjson.dumps(claims))
        signature = _base64(hmac.new(self._key, signed, hashlib.sha256).digest())
        made = (self._header, (signed + b"." + signature).decode())
        if len(self._made) >= MAX_REMEMBERED:
            self._made.clear()
        self._made[principal] = (now + self._lifetime_s / 2, made)
        return made


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
