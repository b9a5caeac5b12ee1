"""What the caches want of a store, and what holds for every one.

- Time is the store's own, in microseconds. Whoever reads learns the time of the reading; what is fetched because of it
  is written *as of* that time.
- An invalidation marks tags with the time at which it came. An entry as of that time or earlier that has one of them is
  not found any more, and is not written either. So an answer that was on its way when things changed is never kept.
- A reader may bring barriers: tags whose marks count for every entry that it reads, whatever tags these have.
- A store that does not answer finds nothing, keeps nothing, and never raises. Invalidations wait until it answers
  again; as long as one waits, this process finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["EVERYTHING", "CacheStore", "Entry", "Found", "Reading", "StoreLimits"]

EVERYTHING = "everything"
"""Tag that every entry has without carrying it."""


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds of a store.

    Attributes:
        max_entry_bytes: a larger value is not kept.
        max_age_s: longest time that an entry is found.
        max_entries, max_bytes: bounds of what one process keeps; a store outside has bounds of its own.
    """

    max_entry_bytes: int = 256 * 1024
    max_age_s: float = 24 * 3600.0
    max_entries: int = 100_000
    max_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be kept; ``lifetime_s`` counts from the time that it is written as of. Tags have no white space."""

    key: str
    value: bytes
    lifetime_s: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What was kept, how old it is, and how long it may still be used."""

    value: bytes
    age_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a store has.

    Attributes:
        found: one for each key, None for what is not there.
        as_of: time of the reading, None when the store gave no answer; nothing can be written then.
        changed_at: time of the last invalidation that this reader must heed, 0 when there was none of late.
    """

    found: tuple[Found | None, ...]
    as_of: int | None
    changed_at: int = 0


class CacheStore(Protocol):
    """Keeps entries. Safe for concurrent use by one event loop."""

    async def read(self, keys: Sequence[str], barriers: Sequence[str] = ()) -> Reading:
        """Return what is kept under ``keys``."""
        ...

    async def write(self, entries: Sequence[Entry], as_of: int) -> int:
        """Keep entries whose values were fetched after the reading at ``as_of``; return how many were taken."""
        ...

    async def invalidate(self, tags: Sequence[str], barriers: Sequence[str] = ()) -> None:
        """Let nobody find what is kept with one of ``tags``, nor those who bring one of ``barriers`` anything.

        Cancel/retry: once called it takes place, even when cancelled.
        """
        ...

    async def aclose(self) -> None:
        """Release what the store holds."""
        ...
