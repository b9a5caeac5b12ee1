"""The operations under way on one connection that carries several, by the id that the client gave each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from gateway.errors import ErrorCode, RequestError
from gateway.executor import ExecutionResult
from gateway.server.failures import error_result
from gateway.server.pipeline import Pipeline
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.streams import ResultBuffer, StreamLimits, SubscriptionCounter

__all__ = ["Operations", "Sink", "too_many"]


class Sink(Protocol):
    """Where the messages of operations go. Each call waits while the client does not read."""

    async def next(self, identifier: str, result: ExecutionResult) -> None:
        """Send one result."""
        ...

    async def fail(self, identifier: str, errors: list[dict[str, Any]]) -> None:
        """Send the reason for which an operation did not start or broke off; the last message of it."""
        ...

    async def complete(self, identifier: str) -> None:
        """Send the end of an operation; the last message of it."""
        ...


def too_many() -> RequestError:
    """Return the refusal of one stream more than allowed."""
    message = "too many subscriptions are under way; end one first, or try again later"
    return RequestError(ErrorCode.LIMIT_EXCEEDED, message, http_status=503)


class Operations:
    """Each operation runs in its own task, and all write to one sink."""

    def __init__(
        self, pipeline: Pipeline, counter: SubscriptionCounter, sink: Sink, limits: StreamLimits, most: int
    ) -> None:
        self._pipeline = pipeline
        self._counter = counter
        self._sink = sink
        self._limits = limits
        self._most = most
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        """Those that run, and those whose last message is on its way."""

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._running

    def start(self, identifier: str, read: Callable[[], GraphQLRequest], context: RequestContext, client: str) -> None:
        """Run an operation; every failure, that of ``read`` among them, goes to the sink."""
        give_back = self._counter.take(client) if len(self._running) < self._most else None
        run = self._run(identifier, read, context, is_allowed=give_back is not None)
        task = self._running[identifier] = asyncio.get_running_loop().create_task(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if give_back is not None:  # a callback, since a task that is cancelled before its first step runs no code
            done = give_back
            task.add_done_callback(lambda _: done())

    def stop(self, identifier: str) -> None:
        """End an operation that the client does not want any more; nothing more is sent of it."""
        task = self._running.pop(identifier, None)
        if task is not None:
            task.cancel()

    async def finish(self, within_s: float) -> None:
        """Wait until no operation is under way and the last message of each is sent, or for the time given."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)

    async def aclose(self) -> None:
        """End every operation."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, identifier: str, read: Callable[[], GraphQLRequest], context: RequestContext, *, is_allowed: bool
    ) -> None:
        try:
            fault = await self._stream(identifier, read, context) if is_allowed else too_many()
            self._forget(identifier)  # before the last message, since its id is free again from then on
            if fault is None:
                await self._sink.complete(identifier)
            else:
                await self._sink.fail(identifier, error_result(fault).errors)
        finally:
            self._forget(identifier)

    async def _stream(
        self, identifier: str, read: Callable[[], GraphQLRequest], context: RequestContext
    ) -> Exception | None:
        """Send every result; return what broke the operation off."""
        try:
            request = read()
        except RequestError as error:
            return error
        async with ResultBuffer(self._pipeline.stream(request, context), self._limits) as buffer:
            while True:
                try:
                    result = await buffer.take()
                except Exception as error:  # noqa: BLE001 - the failure of one operation leaves the others running
                    return error
                if result is None:
                    return None
                await self._sink.next(identifier, result)

    def _forget(self, identifier: str) -> None:
        if self._running.get(identifier) is asyncio.current_task():
            del self._running[identifier]
