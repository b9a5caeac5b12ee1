"""How many streams the process serves at once, and what waits for a client that is slower than its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from gateway.errors import ErrorCode, RequestError
from gateway.policies.operation_limits import exceeded

__all__ = ["Quiet", "ResultBuffer", "StreamLimits", "SubscriptionCounter", "too_many"]

_PATIENCE_FOR_ONE_WRITE = 3
"""A write may take this many times the patience for a full buffer, so that the client can still be told the reason."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of one stream to a client.

    Attributes:
        max_waiting: results that wait for the client; then the stream's source is not read on.
        patience_s: how long the client may leave the buffer full before the stream ends with SLOW_CLIENT.
        heartbeat_s: pause after which an idle stream gets a sign of life.
    """

    max_waiting: int = 64
    patience_s: float = 10.0
    heartbeat_s: float = 12.0

    @property
    def write_s(self) -> float:
        """Seconds after which a write that does not end means that the connection is to be cut."""
        return self.patience_s * _PATIENCE_FOR_ONE_WRITE


def too_many(limit: str, where: str, most: int) -> RequestError:
    """Return the refusal of one stream more than ``limit`` allows, a key of the section ``subscriptions``."""
    message = (
        f"too many subscriptions {where} are under way: subscriptions.{limit} is {most}; "
        "end one first, or try again later"
    )
    return exceeded(f"subscriptions.{limit}", message, most, http_status=503)


class SubscriptionCounter:
    """Counts the streams under way over all connections of the process, in all and for each client."""

    def __init__(self, most: int, most_per_client: int | None = None) -> None:
        self._most = most
        self._most_per_client = most if most_per_client is None else most_per_client
        self._of_client: dict[str, int] = {}
        self.running = 0

    def change(self, most: int, most_per_client: int) -> None:
        """Keep to other bounds; streams beyond them go on."""
        self._most, self._most_per_client = most, most_per_client

    def take(self, client: str = "") -> Callable[[], None]:
        """Count one more stream of a client and return what counts it less again, to be called once.

        Raises:
            RequestError: LIMIT_EXCEEDED, the client or the process has as many as allowed.
        """
        held = self._of_client.get(client, 0)
        if self.running >= self._most:
            raise too_many("max_total", "in this process", self._most)
        if held >= self._most_per_client:
            raise too_many("max_per_client", "of this client", self._most_per_client)
        self.running += 1
        self._of_client[client] = held + 1
        return lambda: self._give_back(client)

    def _give_back(self, client: str) -> None:
        self.running -= 1
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]


R = TypeVar("R")


class Quiet(Exception):
    """Nothing came in the time that it was waited for."""


class ResultBuffer(Generic[R]):
    """Reads a stream ahead of its client, a bounded number of results, and ends it when the client does not keep up.

    Use it as an async context manager; leaving it closes the stream.
    """

    def __init__(self, results: AsyncGenerator[R, None], limits: StreamLimits) -> None:
        self._results = results
        self._limits = limits
        self._waiting: list[R] = []  # bounded and nearly always empty, where a deque holds a block of memory
        self._taker: asyncio.Future[None] | None = None
        """Done when something arrived, or the end; futures, since an idle stream should cost little."""
        self._room: asyncio.Future[None] | None = None
        """Done when something was taken of a full buffer."""
        self._is_over = False
        self._is_quiet = False
        self._quiet_at = 0.0
        self._clock: asyncio.TimerHandle | None = None
        """Rings when the taker waits too long; it stays over several events, since most streams have none for long."""
        self._fault: Exception | None = None
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()
        await asyncio.gather(self._reader, return_exceptions=True)

    def drop(self) -> None:
        """Forget what waits and end the stream; a :meth:`take` that waits returns None."""
        self._waiting.clear()
        self._reader.cancel()
        self._is_over = True
        if self._clock is not None:
            self._clock.cancel()
        _wake(self._taker)

    async def take(self, *, is_timed: bool = False) -> R | None:
        """Return the next result, None at the end of the stream; ``is_timed`` waits no longer than a heartbeat's pause.

        Raises:
            GatewayError: the stream failed, or ended with SLOW_CLIENT; what had arrived before was returned first.
            Quiet: nothing came within that time.

        Cancel/retry: cancelling loses nothing.
        """
        while not self._waiting:
            if self._is_over:
                fault, self._fault = self._fault, None
                if fault is not None:
                    raise fault
                return None
            if is_timed:
                self._wind()
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
            if self._is_quiet and not self._waiting and not self._is_over:
                raise Quiet
        _wake(self._room)
        return self._waiting.pop(0)

    def take_waiting(self) -> list[R]:
        """Return what has arrived besides, which can be sent in one go; nothing most of the time."""
        found, self._waiting = self._waiting, []
        if found:
            _wake(self._room)
        return found

    def _wind(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_quiet, self._quiet_at = False, loop.time() + self._limits.heartbeat_s
        if self._clock is None:
            self._clock = loop.call_at(self._quiet_at, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() < self._quiet_at:
            self._clock = loop.call_at(self._quiet_at, self._ring, loop)
            return
        self._clock, self._is_quiet = None, True
        _wake(self._taker)

    async def _read(self) -> None:
        try:
            async with aclosing(self._results) as results:
                async for result in results:
                    if len(self._waiting) >= self._limits.max_waiting:
                        await self._wait_for_room()
                    self._waiting.append(result)
                    _wake(self._taker)
        except Exception as error:  # noqa: BLE001 - whoever takes the results gets it in its place
            self._fault = error
        finally:
            self._is_over = True
            _wake(self._taker)

    async def _wait_for_room(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._limits.patience_s):
                await self._room
        except TimeoutError as error:
            message = (
                f"the client left {self._limits.max_waiting} events waiting for {self._limits.patience_s:g} s; "
                "the subscription ended, events after this are missing: read faster, and subscribe again"
            )
            raise RequestError(ErrorCode.SLOW_CLIENT, message) from error


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
