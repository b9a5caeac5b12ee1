"""Who asks, as far as it makes a difference to what may be kept and found."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import orjson

from gateway.cache.lifetime import Scope
from gateway.cache.tags import own_word
from gateway.config import CacheSettings, IdentitySettings
from gateway.server.principal import Principal

__all__ = ["CREDENTIALS", "Who", "WhoReader"]

MAX_REMEMBERED = 1_000
"""Askers that are remembered, each with the headers that it sent."""

CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that tell who asks, besides that of API keys."""

_Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Who:
    """One who asks.

    Attributes:
        shared: part of the name of every entry: the headers that make a difference.
        private: part of the name of entries that are this one's alone; None when nobody is known.
        scopes: of the entries that may answer this one, the narrowest first.
        is_told: subgraphs are told who it is, so that their answers may depend on it.
        own: barrier against what is older than the last write of this one; None when nobody is known.
    """

    shared: bytes
    private: bytes | None
    scopes: tuple[Scope, ...]
    is_told: bool
    own: str | None


class WhoReader:
    """Reads principals and the headers that go to subgraphs."""

    def __init__(self, settings: CacheSettings, identity: IdentitySettings) -> None:
        self._vary = None if settings.vary is None else frozenset(settings.vary)
        claims = identity.subgraph_claims
        self._claims = None if claims is None else claims.header
        self._credentials = CREDENTIALS | {identity.api_key_header}
        self.read = lru_cache(maxsize=MAX_REMEMBERED)(self._read)

    def _read(self, principal: Principal, headers: _Headers) -> Who:
        """Return who asks; ``headers`` are lower-case names with values."""
        credentials = [pair for pair in headers if pair[0] in self._credentials]
        varying = [pair for pair in headers if self._is_varying(pair[0])]
        is_known = principal.subject is not None
        private = own = None
        if is_known or credentials:
            private = _digest([_plain(principal), sorted(credentials)])
            own = own_word(principal.subject or private.hex())
        is_told = bool(credentials) or (is_known and self._claims is not None)
        scopes = [Scope.PRIVATE] if private is not None else []
        scopes += [Scope.PUBLIC] if is_told else [Scope.UNTOLD, Scope.PUBLIC]
        return Who(_digest(sorted(varying)), private, tuple(scopes), is_told, own)

    def _is_varying(self, name: str) -> bool:
        if name in self._credentials or name == self._claims:
            return False
        return self._vary is None or name in self._vary


def _plain(principal: Principal) -> list[object]:
    return [principal.subject, _sorted(principal.scopes), _sorted(principal.policies), repr(principal.claims)]


def _sorted(names: Collection[str]) -> list[str]:
    return sorted(names)


def _digest(value: object) -> bytes:
    return blake2b(orjson.dumps(value), digest_size=16).digest()
