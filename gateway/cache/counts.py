"""What the cache tells of itself."""

from __future__ import annotations

from typing import Protocol

__all__ = ["CacheCounts", "NoCounts"]


class CacheCounts(Protocol):
    """Counts what happens. ``cache`` is ``fetch``, ``entity`` or ``answer``; whole answers have the subgraph ``""``."""

    def looked_up(self, cache: str, subgraph: str, hits: int, misses: int) -> None:
        """Count what was found and what was not."""
        ...

    def bypassed(self, cache: str, subgraph: str) -> None:
        """Count a fetch that was made without a look at the store, because that gave no answer."""
        ...

    def stored(self, cache: str, subgraph: str, entries: int) -> None:
        """Count what was kept."""
        ...

    def invalidated(self, by: str, tags: int) -> None:
        """Count invalidated tags; ``by`` is ``mutation``, ``request`` or ``event``."""
        ...

    def store_failed(self) -> None:
        """Count a command that the store gave no answer to."""
        ...


class NoCounts:
    """Counts nothing."""

    def looked_up(self, cache: str, subgraph: str, hits: int, misses: int) -> None:
        """See :class:`CacheCounts`."""

    def bypassed(self, cache: str, subgraph: str) -> None:
        """See :class:`CacheCounts`."""

    def stored(self, cache: str, subgraph: str, entries: int) -> None:
        """See :class:`CacheCounts`."""

    def invalidated(self, by: str, tags: int) -> None:
        """See :class:`CacheCounts`."""

    def store_failed(self) -> None:
        """See :class:`CacheCounts`."""
