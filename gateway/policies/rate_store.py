"""Where allowances are kept. Each is one number: the time at which it will be whole again.

Using an amount moves that time on; when it would lie further ahead than the whole allowance takes to come back, the use
is refused and nothing moves (the generic cell rate algorithm). So a client that was refused is not punished for asking.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from gateway.policies.shared_redis import SharedRedis

__all__ = ["MemoryRates", "RateStore", "RedisRates"]

MAX_KEYS = 100_000
"""Allowances kept in a process; beyond these the least recently used ones count as whole again."""

_USE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local whole_at = tonumber(redis.call('GET', KEYS[1]))
if not whole_at or whole_at < now then whole_at = now end
local moved = whole_at + tonumber(ARGV[1])
local wait = moved - now - tonumber(ARGV[2])
if wait > 0.000001 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', moved), 'PX', math.ceil((moved - now) * 1000) + 1)
return '0'
"""
"""Runs as one step in Redis, by its clock, so that all processes agree."""


class RateStore(Protocol):
    """Keeps allowances by key."""

    async def use(self, key: str, takes_s: float, whole_s: float) -> float:
        """Use what takes ``takes_s`` seconds to come back of an allowance that takes ``whole_s`` seconds.

        Returns:
            0 when it was there, else the seconds until it will be; nothing was used then.
        """
        ...


class MemoryRates:
    """Allowances of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._whole_at: OrderedDict[str, float] = OrderedDict()

    async def use(self, key: str, takes_s: float, whole_s: float) -> float:
        """See :class:`RateStore`."""
        now = self._clock()
        moved = max(self._whole_at.get(key, now), now) + takes_s
        wait = moved - now - whole_s
        if wait > 1e-6:
            return wait
        self._whole_at[key] = moved
        self._whole_at.move_to_end(key)
        if len(self._whole_at) > MAX_KEYS:
            self._whole_at.popitem(last=False)
        return 0.0


class RedisRates:
    """Allowances of all processes together. Without an answer of Redis each process keeps its own meanwhile."""

    def __init__(self, redis: SharedRedis, meanwhile: MemoryRates) -> None:
        self._redis = redis
        self._meanwhile = meanwhile

    async def use(self, key: str, takes_s: float, whole_s: float) -> float:
        """See :class:`RateStore`."""
        found = await self._redis.run("EVAL", _USE, 1, self._redis.key("rate", key), f"{takes_s:.6f}", f"{whole_s:.6f}")
        return await self._meanwhile.use(key, takes_s, whole_s) if found is None else float(found)
