"""A store in this process, bounded in entries and bytes; what was used least recently goes first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.cache.store import EVERYTHING, Entry, Found, Reading, StoreLimits

__all__ = ["MAX_MARKS", "MemoryStore"]

MAX_MARKS = 100_000
"""Invalidated tags that are remembered; beyond these, whatever is as old as the oldest mark is not found any more."""

_OVERHEAD_BYTES = 300
"""What an entry takes besides its key, value and tags."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: bytes
    as_of: int
    until: int
    tags: tuple[str, ...]
    size: int


class MemoryStore:
    """See :class:`gateway.cache.store.CacheStore`; ``clock`` gives seconds that only grow."""

    def __init__(self, limits: StoreLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._marks: OrderedDict[str, int] = OrderedDict()
        self._floor = -1
        self._changed_at = -1

    @property
    def size(self) -> tuple[int, int]:
        """Entries and bytes that are kept."""
        return len(self._kept), self._bytes

    async def read(self, keys: Sequence[str], barriers: Sequence[str] = ()) -> Reading:
        """See :class:`gateway.cache.store.CacheStore`."""
        now = self._now()
        floor = max(self._floor, *map(self._mark, (EVERYTHING, *barriers)))
        found = tuple(self._find(key, now, floor) for key in keys)
        return Reading(found, now, max(floor, self._changed_at, 0))

    def _find(self, key: str, now: int, floor: int) -> Found | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= now or self._is_marked(kept.tags, kept.as_of):
            self._drop(key)
            return None
        if kept.as_of <= floor:
            return None
        self._kept.move_to_end(key)
        return Found(kept.value, (now - kept.as_of) / 1e6, (kept.until - now) / 1e6)

    async def write(self, entries: Sequence[Entry], as_of: int) -> int:
        """See :class:`gateway.cache.store.CacheStore`."""
        if as_of <= max(self._floor, self._mark(EVERYTHING)):
            return 0
        return sum(self._keep(entry, as_of) for entry in entries)

    def _keep(self, entry: Entry, as_of: int) -> bool:
        until = as_of + int(min(entry.lifetime_s, self._limits.max_age_s) * 1e6)
        known = self._kept.get(entry.key)
        if (
            len(entry.value) > self._limits.max_entry_bytes
            or until <= self._now()
            or (known is not None and known.as_of > as_of)
            or self._is_marked(entry.tags, as_of)
        ):
            return False
        if known is not None:
            self._drop(entry.key)
        size = len(entry.key) + len(entry.value) + sum(map(len, entry.tags)) + _OVERHEAD_BYTES
        self._kept[entry.key] = _Kept(entry.value, as_of, until, entry.tags, size)
        self._bytes += size
        while self._bytes > self._limits.max_bytes or len(self._kept) > self._limits.max_entries:
            self._drop(next(iter(self._kept)))
        return entry.key in self._kept

    async def invalidate(self, tags: Sequence[str], barriers: Sequence[str] = ()) -> None:
        """See :class:`gateway.cache.store.CacheStore`."""
        now = self._now()
        for tag in (*tags, *barriers):
            self._marks[tag] = now
            self._marks.move_to_end(tag)
        while len(self._marks) > MAX_MARKS:
            self._floor = max(self._floor, self._marks.popitem(last=False)[1])
        if tags:
            self._changed_at = now

    async def aclose(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def _now(self) -> int:
        return int(self._clock() * 1e6)

    def _mark(self, tag: str) -> int:
        return self._marks.get(tag, -1)

    def _is_marked(self, tags: Iterable[str], as_of: int) -> bool:
        return self._changed_at >= as_of and any(self._mark(tag) >= as_of for tag in tags)

    def _drop(self, key: str) -> None:
        self._bytes -= self._kept.pop(key).size
