"""Put a cache together as the settings want it."""

from __future__ import annotations

from functools import partial

from gateway.cache.cache import Cache
from gateway.cache.counts import CacheCounts, NoCounts
from gateway.cache.follow import StreamFollower
from gateway.cache.memory_store import MemoryStore
from gateway.cache.redis_store import RedisStore
from gateway.cache.store import CacheStore, StoreLimits
from gateway.cache.who import CREDENTIALS
from gateway.config import GatewaySettings
from gateway.policies.shared_redis import SharedRedis

__all__ = ["build_cache", "build_follower"]


def build_cache(settings: GatewaySettings, counts: CacheCounts | None) -> Cache | None:
    """Return the cache of a gateway, None when nothing is kept."""
    given = settings.cache
    if given.store == "none":
        return None
    counts = counts or NoCounts()
    limits = StoreLimits(given.max_entry_bytes, given.max_ttl, given.max_entries, given.max_bytes)
    store: CacheStore = MemoryStore(limits)
    if given.store == "redis" and settings.redis is not None:
        redis = SharedRedis(settings.redis, timeout_s=given.timeout, decodes=False)
        store = RedisStore(redis, limits, counts.store_failed)
    return Cache(given, store, settings.identity, counts, _vary(settings))


def build_follower(settings: GatewaySettings, cache: Cache) -> StreamFollower | None:
    """Return what follows the stream of invalidations, None when there is no such stream."""
    redis, stream = settings.redis, settings.cache.invalidation.stream
    if redis is None or stream is None:
        return None
    position_key = f"{redis.prefix}cache:position:{stream}" if settings.cache.store == "redis" else None
    return StreamFollower(
        redis.url, stream, cache.read_invalidation, partial(cache.invalidate, by="event"), position_key
    )


def _vary(settings: GatewaySettings) -> str:
    rules = (settings.headers, *settings.headers.subgraphs.values())
    passed = dict.fromkeys(name for part in rules for name in part.sources())
    vary = settings.cache.vary
    return ", ".join(passed if vary is None else (*vary, *(name for name in passed if name in CREDENTIALS)))
