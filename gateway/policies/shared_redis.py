"""One connection pool to the Redis that processes share, for policies that can do without an answer.

A command that fails or takes too long gives None. After that Redis is left alone for a moment, so that an outage costs
each request nothing instead of a timeout.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from gateway.config import RedisSettings

__all__ = ["SharedRedis"]

_log = logging.getLogger("gateway")

PAUSE_S = 1.0
"""Seconds without commands after one failed."""

MAX_CONNECTIONS = 32
"""Connections of one process; commands are short."""


class SharedRedis:
    """Runs commands. Opens its pool on first use, because it belongs to the running event loop.

    Args:
        timeout_s: seconds for one command, in place of the settings'.
        decodes: answers are text; else they are bytes.
    """

    def __init__(
        self,
        settings: RedisSettings,
        clock: Callable[[], float] = time.monotonic,
        *,
        timeout_s: float | None = None,
        decodes: bool = True,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._timeout_s = timeout_s or settings.timeout
        self._decodes = decodes
        self._client: redis.asyncio.Redis | None = None
        self._paused_until = 0.0

    def key(self, *parts: str) -> str:
        """Return the name of a key below the prefix of the settings."""
        return self._settings.prefix + ":".join(parts)

    async def run(self, *command: Any) -> Any:
        """Return the answer of a command, None when Redis gave none in time."""
        if self._clock() < self._paused_until:
            return None
        if self._client is None:
            self._client = redis.asyncio.Redis.from_url(
                self._settings.url, max_connections=MAX_CONNECTIONS, decode_responses=self._decodes
            )
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = self._clock() + PAUSE_S
            _log.warning("redis gave no answer (%s); going on without it for %.0f s", type(error).__name__, PAUSE_S)
            return None

    async def aclose(self) -> None:
        """Close the pool."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
