"""Bearer tokens as identity: JSON Web Tokens, proved by a shared secret or by public keys of their issuers.

A token that was proved is remembered for a short while, so that a client's next request costs no cryptography.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

import jwt

from gateway.config import TokenIdentity
from gateway.errors import ErrorCode, RequestError
from gateway.policies.key_sets import KeySet
from gateway.server.principal import ANONYMOUS, Principal

__all__ = ["ALGORITHM", "TokenReader"]

ALGORITHM = "HS256"
"""The one algorithm for shared secrets; a token that names another is proved by public keys or refused."""

MAX_TOKEN_CHARS = 8 * 1024
"""Longest token that is looked at."""

MAX_REMEMBERED = 10_000
"""Proved tokens that are remembered, the least recently used go first."""

REMEMBER_S = 30.0
"""Seconds for which a proved token is not proved again; so long does a key that was withdrawn still count."""

_REQUIRED = ["exp", "sub"]


class TokenReader:
    """An identity: the principal of a request's token; anonymous without one.

    Args:
        settings: where tokens are and what proves them.
        key_sets: public keys, one for each of the settings.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        settings: TokenIdentity,
        key_sets: tuple[KeySet, ...] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._key_sets = tuple(map(KeySet, settings.key_sets)) if key_sets is None else key_sets
        self._clock = clock
        self._proved: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def __call__(self, headers: Mapping[str, str]) -> Principal | Awaitable[Principal]:
        """Return who a request comes from; only what public keys must prove has to be awaited.

        Raises:
            RequestError: UNAUTHENTICATED, the token is malformed, expired, or not signed by whom it should be.
        """
        token = self._find(headers)
        if token is None:
            return ANONYMOUS
        known = self._proved.get(token)
        if known is not None and self._clock() < known[0]:
            self._proved.move_to_end(token)
            return known[1]
        try:
            head = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise _refused(f"the token is not accepted: {error}") from error
        settings = self._settings
        if settings.secret is not None and (head.get("alg") == ALGORITHM or not self._key_sets):
            claims = self._decode(token, settings.secret, [ALGORITHM], settings.issuer, settings.audience)
            return self._accept(token, claims)
        return self._prove(token, head)

    async def aclose(self) -> None:
        """Stop reading keys."""
        for keys in self._key_sets:
            await keys.aclose()

    def _find(self, headers: Mapping[str, str]) -> str | None:
        given = headers.get("authorization") or headers.get("Authorization")
        if given is not None:
            scheme, _, token = given.strip().partition(" ")
            if scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN_CHARS:
                raise _refused("the authorization header must read: Bearer <token>")
            return token.strip()
        if self._settings.cookie is None or "cookie" not in headers:
            return None
        found = _read_cookie(headers["cookie"], self._settings.cookie)
        if found is not None and len(found) > MAX_TOKEN_CHARS:
            raise _refused("the token in the cookie is too long")
        return found

    async def _prove(self, token: str, head: Mapping[str, Any]) -> Principal:
        """Return the principal of a token that public keys prove."""
        key_id, algorithm = head.get("kid"), head.get("alg")
        if not isinstance(key_id, str | None):
            raise _refused("the token is not accepted: kid is no string")
        candidates = [keys for keys in self._key_sets if algorithm in keys.settings.algorithms]
        if not candidates:
            raise _refused(f"the token is not accepted: the algorithm {str(algorithm)[:20]!r} is not allowed")
        refusal = _refused("the token is not accepted: no key of its issuer has the name that it gives")
        candidates.sort(key=lambda keys: not keys.knows(key_id))  # those that have the key need not be read again
        for keys in candidates:
            for key in await keys.find(key_id):
                try:
                    wanted = jwt.PyJWK(dict(key), algorithm)
                except (jwt.PyJWKError, jwt.InvalidKeyError):
                    continue  # a key for another algorithm
                if key.get("alg", algorithm) != algorithm:
                    continue
                own = keys.settings
                try:
                    claims = self._decode(token, wanted, [str(algorithm)], own.issuer, own.audience)
                except RequestError as error:
                    refusal = error
                else:
                    return self._accept(token, claims)
        raise refusal

    def _decode(
        self, token: str, key: str | jwt.PyJWK, algorithms: list[str], issuer: str | None, audience: str | None
    ) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=algorithms,
                issuer=issuer,
                audience=audience,
                leeway=self._settings.leeway,
                options={"require": _REQUIRED, "verify_aud": audience is not None},
            )
        except jwt.ExpiredSignatureError as error:
            raise _refused("the token has expired; get a new one") from error
        except jwt.InvalidTokenError as error:
            raise _refused(f"the token is not accepted: {error}") from error

    def _accept(self, token: str, claims: Mapping[str, Any]) -> Principal:
        settings = self._settings
        told = {name: _hashable(claims[name]) for name in settings.pass_claims if name in claims}
        expires_at = float(claims["exp"]) + settings.leeway
        principal = Principal(
            str(claims["sub"]),
            frozenset(_words(claims.get(settings.scope_claim))),
            frozenset(_words(claims.get(settings.policy_claim))),
            tuple(sorted(told.items())),
            expires_at if settings.end_subscriptions else None,
        )
        until = min(self._clock() + REMEMBER_S, expires_at)
        self._proved[token] = (until, principal)
        if len(self._proved) > MAX_REMEMBERED:
            self._proved.popitem(last=False)
        return principal


def _read_cookie(header: str, name: str) -> str | None:
    if name not in header:
        return None
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(header)
    except CookieError:
        return None
    return cookies[name].value or None if name in cookies else None


def _words(value: object) -> list[str]:
    """Return what a claim lists, as a string with spaces or as an array."""
    if isinstance(value, str):
        return value.split()
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _hashable(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str | int | bool) or item is None for item in value):
        return tuple(value)
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    raise _refused("a claim that is passed to subgraphs must be a string, a number, a boolean or a list of these")


def _refused(message: str) -> RequestError:
    return RequestError(ErrorCode.UNAUTHENTICATED, message, http_status=401)
