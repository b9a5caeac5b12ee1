"""How long an answer may be kept, and for whom: read from headers, joined from the parts of an answer.

Source: RFC 9111 (HTTP caching), sections 3.5, 4.2 and 5.2.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

__all__ = ["NEVER", "UNSAID", "Lifetime", "Scope", "join", "read_lifetime"]


class Scope(Enum):
    """For whom an answer is: everybody, those of whom the subgraph was told nothing, or one principal."""

    PUBLIC = "public"
    UNTOLD = "untold"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What is known of an answer's use.

    Attributes:
        max_age_s: seconds from now in which it may be used, 0 for never, None when nobody said.
        scope: for everybody or for one principal; None when nobody said.
    """

    max_age_s: float | None = None
    scope: Scope | None = None

    def or_else(self, other: Lifetime) -> Lifetime:
        """Return this with what it leaves unsaid taken from ``other``."""
        age = other.max_age_s if self.max_age_s is None else self.max_age_s
        return Lifetime(age, self.scope or other.scope)

    def narrowed(self, other: Lifetime) -> Lifetime:
        """Return what both allow: the shorter age, private when either is; what one leaves unsaid the other says."""
        ages = [age for age in (self.max_age_s, other.max_age_s) if age is not None]
        scopes = (self.scope, other.scope)
        scope = next((narrow for narrow in (Scope.PRIVATE, Scope.UNTOLD, Scope.PUBLIC) if narrow in scopes), None)
        return Lifetime(min(ages) if ages else None, scope)

    def header(self) -> str:
        """Return it as the value of ``Cache-Control``."""
        if not self.max_age_s or self.max_age_s < 1:
            return "no-store"
        return f"max-age={int(self.max_age_s)}, {'public' if self.scope is Scope.PUBLIC else 'private'}"


UNSAID = Lifetime()
NEVER = Lifetime(0.0)


def join(parts: Iterable[Lifetime]) -> Lifetime:
    """Return the lifetime of an answer made of parts: that of the part that lasts least, private when any is."""
    found = Lifetime(None, Scope.PUBLIC)
    for part in parts:
        found = found.narrowed(part if part.max_age_s is not None else replace(part, max_age_s=0.0))
    return found if found.max_age_s is not None else NEVER


def read_lifetime(cache_control: str, age: str = "") -> Lifetime:
    """Return what the headers ``Cache-Control`` and ``Age`` of an answer say.

    ``s-maxage`` goes before ``max-age``, and like ``public`` says that the answer is for everybody. What cannot be
    understood where an age is expected counts as 0.
    """
    if not cache_control:
        return UNSAID
    said = dict(_directives(cache_control))
    if not said.keys().isdisjoint(_FORBIDDING):
        return replace(NEVER, scope=Scope.PRIVATE if "private" in said else None)
    scope = None
    if "private" in said:
        scope = Scope.PRIVATE
    elif "public" in said or "s-maxage" in said:
        scope = Scope.PUBLIC
    lasts = said.get("s-maxage", said.get("max-age"))
    if lasts is None:
        return Lifetime(None, scope)
    return Lifetime(max(0.0, _seconds(lasts) - _seconds(age)), scope)


_FORBIDDING = frozenset({"no-store", "no-cache"})
MAX_SECONDS = 10**9
"""Largest age that is read; RFC 9111 wants any larger one to mean as much as a cache can hold."""


def _directives(text: str) -> Iterable[tuple[str, str]]:
    for part in text.lower().split(","):
        name, _, value = part.partition("=")
        yield name.strip(), value.strip().strip('"')


def _seconds(text: str) -> float:
    text = text.strip()
    return float(min(int(text[:20]), MAX_SECONDS)) if text.isascii() and text.isdigit() else 0.0
