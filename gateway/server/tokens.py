"""Bearer tokens as identity: JSON Web Tokens, signed with a secret that the gateway shares with who issues them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from gateway.config import TokenIdentity
from gateway.errors import ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Principal

__all__ = ["ALGORITHM", "TokenReader"]

ALGORITHM = "HS256"
"""The one algorithm for shared secrets; a token that names another is refused."""

MAX_TOKEN_CHARS = 8 * 1024
"""Longest token that is looked at."""


class TokenReader:
    """An identity: the principal of a request's ``authorization: Bearer`` header; anonymous without one."""

    def __init__(self, settings: TokenIdentity) -> None:
        self._settings = settings
        self._required = ["exp", "sub"]

    def __call__(self, headers: Mapping[str, str]) -> Principal:
        """Return who a request comes from.

        Raises:
            RequestError: UNAUTHENTICATED, the token is malformed, expired, or not signed by whom it should be.
        """
        given = headers.get("authorization") or headers.get("Authorization")
        if given is None:
            return ANONYMOUS
        scheme, _, token = given.strip().partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN_CHARS:
            raise _refused("the authorization header must read: Bearer <token>")
        try:
            claims = jwt.decode(
                token.strip(),
                self._settings.secret,
                algorithms=[ALGORITHM],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=self._settings.leeway,
                options={"require": self._required, "verify_aud": self._settings.audience is not None},
            )
        except jwt.ExpiredSignatureError as error:
            raise _refused("the token has expired; get a new one") from error
        except jwt.InvalidTokenError as error:
            raise _refused(f"the token is not accepted: {error}") from error
        return self._principal(claims)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        told = {name: _hashable(claims[name]) for name in self._settings.pass_claims if name in claims}
        return Principal(
            str(claims["sub"]),
            frozenset(_words(claims.get("scope"))),
            frozenset(_words(claims.get("policies"))),
            tuple(sorted(told.items())),
        )


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
