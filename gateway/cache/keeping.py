"""The names of entries, and whether and how long an answer is kept for whom.

Each thing that is asked may have an entry for everybody, one for those of whom the subgraph was told nothing, and one
for each principal. A reader looks at all that may answer it; where an answer is written, the answer decides.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from gateway.cache.lifetime import NEVER, Lifetime, Scope, read_lifetime
from gateway.cache.plans import CachedFetch
from gateway.cache.store import Found
from gateway.cache.who import Who
from gateway.transport.base import SubgraphResponse

__all__ = ["entry_base", "entry_key", "entry_keys", "first_found", "jittered", "judge", "pick"]


def entry_base(name: bytes, who: Who, asked: Any) -> bytes:
    """Return what names an entry besides for whom it is."""
    text = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return blake2b(b"".join((name, who.shared, text)), digest_size=16).digest()


def entry_key(base: bytes, who: Who, scope: Scope) -> str:
    """Return the name of the entry of a scope."""
    match scope:
        case Scope.PUBLIC:
            return base.hex()
        case Scope.UNTOLD:
            return f"{base.hex()}.untold"
        case _:
            return f"{base.hex()}.{(who.private or b'').hex()}"


def entry_keys(base: bytes, who: Who) -> tuple[str, ...]:
    """Return the names of the entries that may answer the one who asks."""
    return tuple(entry_key(base, who, scope) for scope in who.scopes)


def first_found(found: Sequence[Found | None], who: Who) -> tuple[Found, Scope] | None:
    """Return the first of the entries of :func:`entry_keys` that is there, with for whom it is."""
    return next(((one, scope) for one, scope in zip(found, who.scopes, strict=True) if one is not None), None)


def judge(fetch: CachedFetch, response: SubgraphResponse, who: Who) -> Lifetime:
    """Return how long an answer without errors may be kept, and for whom.

    The shortest of what header and directives say counts; the settings fill in what neither says. Where nobody says for
    whom, an answer is private that is protected or was given to credentials (RFC 9111, section 3.5). What is private is
    not kept when nobody is known.
    """
    if response.status != 200:
        return NEVER
    said = read_lifetime(response.cache_control, response.age).narrowed(fetch.says)
    if fetch.is_for_one:
        said = said.narrowed(Lifetime(None, Scope.PRIVATE))
    said = said.or_else(fetch.otherwise)
    scope = said.scope
    if scope is None:
        scope = Scope.PRIVATE if fetch.is_protected or who.is_told else Scope.UNTOLD
    if not said.max_age_s or (scope is Scope.PRIVATE and who.private is None):
        return Lifetime(0.0, scope)
    return Lifetime(said.max_age_s, scope)


def jittered(lifetime_s: float, jitter: float) -> float:
    """Return a lifetime that ends up to ``jitter`` of it earlier."""
    return lifetime_s * (1 - jitter * random.random()) if jitter else lifetime_s  # noqa: S311 - no secret


def pick(variables: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the variables of ``names`` that were given."""
    return {name: variables[name] for name in names if name in variables}
