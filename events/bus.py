"""The bus carries one fact: the log has grown to a position. The log is the truth; a lost message costs a poll.

Every follower listens on its own; what it missed while it was busy collapses into the latest position, so that no queue
grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

__all__ = ["Bus", "Listener", "MemoryBus", "RedisBus"]

MAX_STREAM_LENGTH = 1_000
"""Messages kept in the Redis stream; a follower that is further behind reads the log anyway."""

REDIS_BLOCK_MS = 1_000
"""Longest single wait in Redis, so that a closed listener is noticed."""

RECONNECT_S = 1.0
"""Pause after Redis failed; followers poll the log meanwhile."""


class Listener(Protocol):
    """One follower's ear."""

    async def wait(self, timeout_s: float) -> int | None:
        """Return the latest position told since the last call, waiting at most ``timeout_s``; None when none was."""
        ...


class Bus(Protocol):
    """Tells followers that the log has grown."""

    async def tell(self, position: int) -> None:
        """Tell every listener; never raises for a transport that is down."""
        ...

    def listen(self) -> AbstractAsyncContextManager[Listener]:
        """Listen while the context is open; what is told from then on is not missed."""
        ...


class _Ear:
    def __init__(self) -> None:
        self._latest: int | None = None
        self._heard = asyncio.Event()

    def hear(self, position: int) -> None:
        self._latest = max(position, self._latest or 0)
        self._heard.set()

    async def wait(self, timeout_s: float) -> int | None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._heard.wait()
        except TimeoutError:
            return None
        self._heard.clear()
        latest, self._latest = self._latest, None
        return latest


class MemoryBus:
    """A bus within one event loop."""

    def __init__(self) -> None:
        self._ears: set[_Ear] = set()

    async def tell(self, position: int) -> None:
        """Tell every listener."""
        for ear in self._ears:
            ear.hear(position)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listener]:
        """Listen while the context is open."""
        ear = _Ear()
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.discard(ear)


class RedisBus:
    """A bus over one Redis stream, for many processes. One task reads the stream for all listeners of the process."""

    def __init__(self, redis: Redis, stream: str = "crossdock:log") -> None:
        self._redis = redis
        self._stream = stream
        self._ears: set[_Ear] = set()
        self._reader: asyncio.Task[None] | None = None

    async def tell(self, position: int) -> None:
        """Tell every listener of every process; when Redis is down, those of this one."""
        try:
            await self._redis.xadd(self._stream, {"position": position}, maxlen=MAX_STREAM_LENGTH, approximate=True)
        except (RedisError, OSError):
            for ear in self._ears:
                ear.hear(position)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listener]:
        """Listen while the context is open."""
        ear = _Ear()
        self._ears.add(ear)
        if self._reader is None:
            started = asyncio.Event()
            self._reader = asyncio.create_task(self._read(started))
            await started.wait()
        try:
            yield ear
        finally:
            self._ears.discard(ear)
            if not self._ears and self._reader is not None:
                reader, self._reader = self._reader, None
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, started: asyncio.Event) -> None:
        last: str | bytes | None = None
        # Not only cancellation ends it: the Redis client can swallow one that comes at a bad moment.
        while self._reader is asyncio.current_task():
            try:
                if last is None:
                    newest = await self._redis.xrevrange(self._stream, count=1)
                    last = newest[0][0] if newest else "0"
                    started.set()
                found = await self._redis.xread(
                    {self._stream: last or "0"}, count=MAX_STREAM_LENGTH, block=REDIS_BLOCK_MS
                )
            except (RedisError, OSError):
                started.set()
                await asyncio.sleep(RECONNECT_S)
                continue
            for _, messages in _entries(found):
                for identifier, fields in messages:
                    last = identifier
                    position = int(fields.get(b"position") or fields.get("position") or 0)
                    for ear in self._ears:
                        ear.hear(position)


def _entries(found: object) -> list[tuple[object, list[tuple[str, dict[object, str]]]]]:
    """Return stream entries in one shape; the protocol version decides between a list and a mapping."""
    if isinstance(found, dict):
        return [(name, batch[0] if batch and isinstance(batch[0], list) else batch) for name, batch in found.items()]
    return list(found) if isinstance(found, list) else []
