"""Hands a subgraph's callback to the process that it is for, when it has reached another one, through Redis.

Each process listens on a channel of its own. What it gets is either a message of a subgraph, which it takes and answers
on the channel of the process that sent it, or such an answer. Nothing is stored: a process that does not listen has no
subscriptions, so the subgraph is told 404; without Redis it is told 503.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets

import redis.asyncio
from redis.exceptions import RedisError

from gateway.config import RedisSettings
from gateway.transport.callback import Callbacks
from gateway.transport.inbox import HOLD_S

__all__ = ["CallbackRelay"]

_log = logging.getLogger("gateway")

PAUSE_S = 1.0
"""Seconds until Redis is tried again after it went away."""

MAX_RELAYED = 1024
"""Messages under way in each direction; more are refused, which a subgraph takes as the end of its subscription."""

ANSWER_S = HOLD_S + 5.0
"""Longest wait for the other process, which may hold a delivery for ``HOLD_S``."""

MAX_CONNECTIONS = 32
"""Connections for publishing; each is used for the time of one command."""

_UNKNOWN, _UNAVAILABLE = 404, 503
_PROCESS = re.compile(r"[0-9a-f]{16}")


class CallbackRelay:
    """Runs beside the server of one process."""

    def __init__(self, settings: RedisSettings, callbacks: Callbacks) -> None:
        self._settings = settings
        self._callbacks = callbacks
        self._client: redis.asyncio.Redis | None = None
        self._waiting: dict[bytes, asyncio.Future[int]] = {}
        self._taking: set[asyncio.Task[None]] = set()
        self.listens = asyncio.Event()

    def _channel(self, process: str) -> str:
        return f"{self._settings.prefix}callbacks:{process}"

    def _redis(self) -> redis.asyncio.Redis:
        if self._client is None:
            self._client = redis.asyncio.Redis.from_url(self._settings.url, max_connections=MAX_CONNECTIONS)
        return self._client

    async def reaches(self, process: str) -> bool:
        """Tell whether a process listens; True also when Redis gives no answer, which sending then finds out."""
        if _PROCESS.fullmatch(process) is None:
            return False
        try:
            async with asyncio.timeout(self._settings.timeout):
                found = await self._redis().pubsub_numsub(self._channel(process))
        except (RedisError, OSError, TimeoutError):
            return True
        return any(many > 0 for _, many in found)

    async def send(self, process: str, subscription: str, body: bytes) -> int:
        """Have another process take a message and return the HTTP status that answers it."""
        if len(self._waiting) >= MAX_RELAYED:
            return _UNAVAILABLE
        token = secrets.token_hex(8).encode()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        head = b" ".join((b"take", token, self._callbacks.process.encode(), subscription.encode()))
        try:
            async with asyncio.timeout(ANSWER_S):
                if not await self._redis().publish(self._channel(process), head + b"\n" + body):
                    return _UNKNOWN
                return await answer
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("a callback could not be handed to its process (%s)", type(error).__name__)
            return _UNAVAILABLE
        finally:
            del self._waiting[token]

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                _log.warning("callbacks are not handed on: redis gave no answer (%s)", type(error).__name__)
            finally:
                self.listens.clear()
            if _is_cancelled():
                return
            await asyncio.sleep(PAUSE_S)

    async def _listen(self) -> None:
        async with self._redis().pubsub() as channel:
            await channel.subscribe(self._channel(self._callbacks.process))
            while not _is_cancelled():
                message = await channel.get_message(timeout=PAUSE_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self.listens.set()
                elif message["type"] == "message":
                    self._hear(message["data"])

    def _hear(self, data: bytes) -> None:
        head, _, body = data.partition(b"\n")
        match head.split(b" "):
            case [b"answer", token, status]:
                waiting = self._waiting.get(token)
                if waiting is not None and not waiting.done():
                    waiting.set_result(int(status))
            case [b"take", token, process, subscription] if len(self._taking) < MAX_RELAYED:
                work = self._take(token, process.decode(), subscription.decode(), body)
                task = asyncio.get_running_loop().create_task(work)
                self._taking.add(task)
                task.add_done_callback(self._taking.discard)

    async def _take(self, token: bytes, process: str, subscription: str, body: bytes) -> None:
        status = await self._callbacks.deliver(subscription, body)
        try:
            await self._redis().publish(self._channel(process), b"answer %s %d" % (token, status))
        except (RedisError, OSError) as error:
            _log.warning("a callback that was handed on could not be answered (%s)", type(error).__name__)

    async def aclose(self) -> None:
        """Give up what is under way and close the connections."""
        for task in tuple(self._taking):
            task.cancel()
        await asyncio.gather(*self._taking, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _is_cancelled() -> bool:
    """Tell whether the running task was cancelled, also when the Redis client has swallowed that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
