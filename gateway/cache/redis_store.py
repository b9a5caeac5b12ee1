"""A store in Redis, for all processes of a gateway. Each operation is one script, so one step and one round trip.

An entry is its head, a line feed and its value; the head has the time as of which it holds, the time of its end, and
its tags. A mark is the time of an invalidation under the name of its tag; it lives as long as the oldest entry may.
The scripts name keys that they read in entries, so the Redis must be one server and no cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from gateway.cache.store import EVERYTHING, Entry, Found, Reading, StoreLimits
from gateway.policies.shared_redis import SharedRedis

__all__ = ["MAX_WAITING", "RedisStore"]

FORMAT = "1"
"""Part of the names of entries; a release that writes them otherwise takes another one, and does not read these."""

MAX_KEYS = 1_000
"""Keys of one reading; Lua takes some thousand arguments at most."""

MAX_WRITES = 100
"""Entries of one write, so that no script keeps the others waiting for long."""

MAX_WAITING = 10_000
"""Tags that wait to be invalidated; beyond these everything is."""

_T = TypeVar("_T")

_LAST = "last"
"""Mark of the last invalidation; an entry that is younger need not be compared with the marks of its tags."""

_NOW = "local time = redis.call('TIME') local now = time[1] * 1000000 + time[2] "

_READ = (
    _NOW
    + """
local function mark(name) return tonumber(redis.call('GET', ARGV[1] .. name) or 0) end
local floor = 0
for i = 2, #ARGV do floor = math.max(floor, mark(ARGV[i])) end
local last = math.max(floor, mark('last'))
local marks = {}
local function is_marked(head, as_of)
  for tag in string.gmatch(head, ' t(%S+)') do
    if not marks[tag] then marks[tag] = mark(tag) end
    if marks[tag] >= as_of then return true end
  end
  return false
end
local found = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if found[i] then
    local head = string.sub(found[i], 1, string.find(found[i], '\\n', 1, true))
    local as_of = tonumber(string.match(head, '^%d+'))
    if as_of <= floor or (as_of <= last and is_marked(head, as_of)) then found[i] = false end
  end
end
return {string.format('%.0f', now), string.format('%.0f', last), found}
"""
)

_WRITE = (
    _NOW
    + """
local as_of, taken = tonumber(ARGV[2]), 0
local function is_marked(name) return tonumber(redis.call('GET', ARGV[1] .. name) or 0) >= as_of end
local changed = is_marked('last')
for i, key in ipairs(KEYS) do
  local until_, tags, value = tonumber(ARGV[3 * i]), ARGV[3 * i + 1], ARGV[3 * i + 2]
  local fits = until_ > now and not is_marked('everything')
  if fits and changed then
    for tag in string.gmatch(tags, ' t(%S+)') do fits = fits and not is_marked(tag) end
  end
  if fits then
    local known = tonumber(string.match(redis.call('GETRANGE', key, 0, 20), '^%d+') or 0)
    fits = known <= as_of
  end
  if fits then
    local head = ARGV[2] .. ' ' .. ARGV[3 * i] .. tags .. '\\n'
    redis.call('SET', key, head .. value, 'PX', math.ceil((until_ - now) / 1000))
    taken = taken + 1
  end
end
return taken
"""
)

_INVALIDATE = (
    _NOW
    + """
local text = string.format('%.0f', now)
for i = 3, #ARGV do redis.call('SET', ARGV[1] .. ARGV[i], text, 'PX', ARGV[2]) end
return #ARGV - 2
"""
)


class RedisStore:
    """See :class:`gateway.cache.store.CacheStore`; ``redis`` must give bytes, ``failed`` is told of each failure."""

    def __init__(self, redis: SharedRedis, limits: StoreLimits, failed: Callable[[], None] = lambda: None) -> None:
        self._redis = redis
        self._limits = limits
        self._failed = failed
        self._marks = redis.key("cache", "mark", "")
        self._waiting: dict[str, int] = {}
        self._told = 0

    async def read(self, keys: Sequence[str], barriers: Sequence[str] = ()) -> Reading:
        """See :class:`gateway.cache.store.CacheStore`."""
        if self._waiting and not await self._deliver():
            return Reading((None,) * len(keys), None)
        found: list[Found | None] = []
        as_of, changed_at = None, 0
        for some in _parts(keys, MAX_KEYS):
            names = [self._redis.key("cache", FORMAT, key) for key in some]
            answer = await self._run(_READ, names, self._marks, EVERYTHING, *barriers)
            if answer is None:
                return Reading((None,) * len(keys), None)
            now = int(answer[0])
            as_of = now if as_of is None else as_of
            changed_at = max(changed_at, int(answer[1]))
            found += [self._decode(value, now) for value in answer[2]]
        return Reading(tuple(found), as_of, changed_at)

    def _decode(self, value: bytes | None, now: int) -> Found | None:
        if value is None:
            return None
        head, _, content = value.partition(b"\n")
        as_of, until = (int(word) for word in head.split(b" ", 2)[:2])
        age_s, left_s = (now - as_of) / 1e6, (until - now) / 1e6
        return Found(content, age_s, left_s) if left_s > 0 and age_s < self._limits.max_age_s else None

    async def write(self, entries: Sequence[Entry], as_of: int) -> int:
        """See :class:`gateway.cache.store.CacheStore`."""
        taken = 0
        limits = self._limits
        for some in _parts([entry for entry in entries if len(entry.value) <= limits.max_entry_bytes], MAX_WRITES):
            arguments: list[Any] = []
            for entry in some:
                until = as_of + int(min(entry.lifetime_s, limits.max_age_s) * 1e6)
                arguments += [until, "".join(f" t{tag}" for tag in entry.tags), entry.value]
            names = [self._redis.key("cache", FORMAT, entry.key) for entry in some]
            answer = await self._run(_WRITE, names, self._marks, as_of, *arguments)
            if answer is None:
                break
            taken += int(answer)
        return taken

    async def invalidate(self, tags: Sequence[str], barriers: Sequence[str] = ()) -> None:
        """See :class:`gateway.cache.store.CacheStore`."""
        names = (*tags, *barriers, *((_LAST,) if tags else ()))
        self._told += 1
        self._waiting.update(dict.fromkeys(names, self._told))
        if len(self._waiting) > MAX_WAITING:
            self._waiting = dict.fromkeys((EVERYTHING, _LAST), self._told)
        await self._deliver()

    async def _deliver(self) -> bool:
        """Send the invalidations that wait; False when they still do."""
        lives_ms = int(self._limits.max_age_s * 1000) + 1000
        for some in _parts(tuple(self._waiting.items()), MAX_KEYS):
            if await self._run(_INVALIDATE, (), self._marks, lives_ms, *(name for name, _ in some)) is None:
                return False
            for name, told in some:
                if self._waiting.get(name) == told:  # else it was told again meanwhile, and must be sent again
                    del self._waiting[name]
        return True

    async def _run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        answer = await self._redis.run("EVAL", script, len(keys), *keys, *arguments)
        if answer is None:
            self._failed()
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
