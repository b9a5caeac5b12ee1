"""What the cache had for one request, as the trace tells it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

__all__ = ["Lookups", "lookups", "outcome_of"]


class Lookups:
    """Adds up what was looked for over all fetches of a request.

    Args:
        tell: takes the name and the value of an attribute; a later value of a name replaces the one before.
    """

    __slots__ = ("_bypassed", "_hits", "_misses", "_tell")

    def __init__(self, tell: Callable[[str, str | int], None]) -> None:
        self._tell = tell
        self._hits = self._misses = 0
        self._bypassed = False

    def answer(self, outcome: str) -> None:
        """Take note of a look for the whole answer."""
        self._tell("crossdock.cache.answer", outcome)

    def parts(self, hits: int, misses: int, *, bypassed: bool = False) -> None:
        """Take note of a look for a fetch, or for its entities; ``bypassed`` when the store gave no answer."""
        self._hits += hits
        self._misses += misses
        self._bypassed = self._bypassed or bypassed
        outcome = outcome_of(self._hits, self._misses)
        self._tell("crossdock.cache.outcome", "bypass" if self._bypassed else outcome)
        self._tell("crossdock.cache.hits", self._hits)
        self._tell("crossdock.cache.misses", self._misses)


def outcome_of(hits: int, misses: int) -> str:
    """Return in one word what was found."""
    if not misses:
        return "hit"
    return "partial" if hits else "miss"


lookups: ContextVar[Lookups | None] = ContextVar("lookups", default=None)
"""Where the request that runs takes note of its looks into the cache, None where nobody follows it."""
