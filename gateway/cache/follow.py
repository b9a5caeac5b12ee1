"""Follow a Redis stream whose messages say what is to be found no more.

Each process reads all of it by itself. Where messages may have been missed, because the stream was cut or is gone,
everything is invalidated: that costs fetches, and a missed message would cost the truth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from gateway.cache.store import EVERYTHING
from gateway.errors import GatewayError

__all__ = ["FIELD", "StreamFollower"]

_log = logging.getLogger("gateway")

FIELD = "invalidate"
"""Field of a message with an invalidation as JSON."""

MAX_MESSAGES = 100
"""Messages of one reading."""

BLOCK_MS = 1_000
"""Longest single wait in Redis, so that a follower that is stopped ends."""

RECONNECT_S = 1.0
"""Pause after Redis failed."""

_NOTHING = b"0-0"
"""Place before the first message."""


class StreamFollower:
    """Reads the stream from where it is when :meth:`run` begins, or from where others have left off.

    Args:
        read: tags of a message; raises :class:`GatewayError` when it means nothing.
        invalidate: takes tags.
        position_key: where the place in the stream is kept, for what is kept outlives the processes; None where it does
            not.

    Attributes:
        has_begun: set when nothing that is written from now on is missed.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        read: Callable[[bytes], tuple[str, ...]],
        invalidate: Callable[[tuple[str, ...]], Awaitable[None]],
        position_key: str | None = None,
    ) -> None:
        self._url = url
        self._stream = stream
        self._read = read
        self._invalidate = invalidate
        self._position_key = position_key
        self._last: bytes | None = None
        self.has_begun = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled; a Redis that is gone is tried again."""
        client = redis.asyncio.Redis.from_url(self._url)
        is_told = False
        try:
            while True:
                try:
                    await self._follow(client)
                except (RedisError, OSError) as error:
                    if not is_told:
                        _log.warning("the stream of invalidations cannot be read (%s)", type(error).__name__)
                        is_told = True
                    await asyncio.sleep(RECONNECT_S)
                else:
                    is_told = False
        finally:
            await client.aclose()

    async def _follow(self, client: redis.asyncio.Redis) -> None:
        if self._last is None:
            self._last = await self._start(client)
            self.has_begun.set()
        if await self._may_have_missed(client, self._last):
            _log.warning("the stream of invalidations was cut: everything is invalidated")
            self._last = await self._newest(client)
            await self._invalidate((EVERYTHING,))
        while True:
            found = await client.xread({self._stream: self._last}, count=MAX_MESSAGES, block=BLOCK_MS)
            for identifier, fields in _messages(found):
                await self._take(fields)
                self._last = identifier
            if found and self._position_key is not None:
                await client.set(self._position_key, self._last)

    async def _start(self, client: redis.asyncio.Redis) -> bytes:
        found: Any = None if self._position_key is None else await client.get(self._position_key)
        return bytes(found) if found is not None else await self._newest(client)

    async def _newest(self, client: redis.asyncio.Redis) -> bytes:
        newest: Any = await client.xrevrange(self._stream, count=1)
        return bytes(newest[0][0]) if newest else _NOTHING

    async def _may_have_missed(self, client: redis.asyncio.Redis, last: bytes) -> bool:
        """Tell whether messages after the last one that was read may have been cut off."""
        if last == _NOTHING:
            return False
        oldest: Any = await client.xrange(self._stream, count=1)
        return not oldest or _order(bytes(oldest[0][0])) > _order(last)

    async def _take(self, fields: dict[bytes, bytes]) -> None:
        try:
            tags = self._read(fields.get(FIELD.encode(), b""))
        except GatewayError as error:
            _log.warning("a message in the stream of invalidations is ignored: %s", error)
        else:
            await self._invalidate(tags)


def _order(identifier: bytes) -> tuple[int, int]:
    milliseconds, _, number = identifier.partition(b"-")
    return int(milliseconds), int(number or 0)


def _messages(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the messages of the one stream; the version of the protocol decides between a list and a mapping."""
    if not found:
        return []
    messages = next(iter(found.values())) if isinstance(found, dict) else found[0][1]
    return list(messages[0] if messages and isinstance(messages[0], list) else messages)
