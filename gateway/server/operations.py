"""The operations under way on one connection that carries several, by the id that the client gave each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

from gateway.errors import RequestError
from gateway.server.expiry import until_expiry
from gateway.server.failures import error_result
from gateway.server.pipeline import Pipeline
from gateway.server.pushing import Pusher
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.shared_results import Event
from gateway.server.stopping import has_stopped
from gateway.server.streams import SubscriptionCounter, too_many
from gateway.transport.fan_out import Bell

__all__ = ["Operations", "Sink"]


class Sink(Protocol):
    """Where the messages of operations go. Each call waits while the client does not read."""

    async def next(self, identifier: str, events: Sequence[Event]) -> None:
        """Send results, one or more."""
        ...

    async def fail(self, identifier: str, errors: list[dict[str, Any]]) -> None:
        """Send the reason for which an operation did not start or broke off; the last message of it."""
        ...

    async def complete(self, identifier: str) -> None:
        """Send the end of an operation; the last message of it."""
        ...


class Operations:
    """The operations of one connection; all write to one sink."""

    def __init__(self, pipeline: Pipeline, counter: SubscriptionCounter, sink: Sink, most: int) -> None:
        self.pipeline = pipeline
        self.sink = sink
        self._counter = counter
        self._most = most
        self._running: dict[str, _Operation] = {}
        self._all: set[_Operation] = set()
        """Those that run, and those whose last message is on its way."""
        self._idle = Bell()

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._running

    def start(self, identifier: str, read: Callable[[], GraphQLRequest], context: RequestContext, client: str) -> None:
        """Run an operation; every failure, that of ``read`` among them, goes to the sink."""
        give_back: Callable[[], None] | None = None
        begin: Callable[[_Operation], Awaitable[None]]
        try:
            give_back = self._take(client)
            begin = partial(_Operation.begin, read=read, context=context)
        except RequestError as refusal:
            begin = partial(_Operation.conclude, fault=refusal)
        operation = self._running[identifier] = _Operation(self, identifier, give_back)
        self._all.add(operation)
        operation.run(partial(begin, operation))

    def _take(self, client: str) -> Callable[[], None]:
        if len(self._running) >= self._most:
            raise too_many("max_per_connection", "on this connection", self._most)
        return self._counter.take(client)

    def stop(self, identifier: str) -> None:
        """End an operation that the client does not want any more; nothing more is sent of it."""
        operation = self._running.pop(identifier, None)
        if operation is not None:
            operation.stop()

    def free(self, operation: _Operation) -> None:
        """Let the id of an operation name another one; its last message is about to be sent."""
        if self._running.get(operation.identifier) is operation:
            del self._running[operation.identifier]

    def forget(self, operation: _Operation) -> None:
        """Know nothing more of an operation that is over."""
        self.free(operation)
        self._all.discard(operation)
        if not self._all:
            self._idle.ring()

    async def finish(self, within_s: float, last_words_s: float) -> bool:
        """Wait until no operation is under way and the last message of each is sent; tell whether that came to be.

        Args:
            within_s: seconds for queries and mutations.
            last_words_s: seconds for subscriptions, which have ended, and for all else that only has to be read.
        """
        return await self._are_idle(min(last_words_s, within_s)) or (
            any(operation.is_at_work for operation in self._all) and await self._are_idle(within_s - last_words_s)
        )

    async def _are_idle(self, within_s: float) -> bool:
        if not self._all:
            return True
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """End every operation."""
        await asyncio.gather(*(operation.aclose() for operation in tuple(self._all)))


class _Operation(Pusher):
    """One operation; ``give_back`` counts it less, None for one that there is no room for."""

    __slots__ = ("_give_back", "_home", "identifier")

    def __init__(self, home: Operations, identifier: str, give_back: Callable[[], None] | None) -> None:
        super().__init__()
        self.identifier = identifier
        self._home = home
        self._give_back = give_back

    @property
    def is_at_work(self) -> bool:
        """Whether it is a query or mutation that has no answer yet."""
        return self.subscription is None and not self._is_concluded

    async def begin(self, read: Callable[[], GraphQLRequest], context: RequestContext) -> None:
        """Start it, and write what it has to say so far."""
        try:
            request, pipeline = read(), self._home.pipeline
            prepared = await pipeline.open(request, context)
            if prepared.operation.kind != "subscription":
                running = pipeline.run(prepared, request, context)
                await self.give([Event(await until_expiry(running, context.principal.expires_at))])
                await self.conclude(None)
                return
            self.subscription = pipeline.subscription(prepared, request, context, self.wake)
            await self.subscription.start()
        except Exception as error:  # noqa: BLE001 - the failure of one operation leaves the others running
            await self.conclude(error)
            return
        await self.push()

    def stop(self) -> None:
        """See :class:`Pusher`."""
        super().stop()
        self._home.forget(self)
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    async def give(self, events: Sequence[Event]) -> None:
        """See :class:`Pusher`."""
        await self._home.sink.next(self.identifier, events)

    async def finish(self, fault: Exception | None) -> None:
        """See :class:`Pusher`."""
        self._home.free(self)
        try:
            if fault is None:
                await self._home.sink.complete(self.identifier)
            elif has_stopped(fault):
                await self.give([Event(error_result(fault))])
            else:
                await self._home.sink.fail(self.identifier, error_result(fault).errors)
        finally:
            self.stop()

    async def rest(self) -> None:
        """See :class:`Pusher`; signs of life are the connection's."""

    def cut(self, error: Exception) -> None:
        """See :class:`Pusher`; the sink ends the connection by itself."""
