"""Write a subscription's results to its client, by a task that is there only while something waits to be written.

Thousands of subscriptions are idle most of the time: each of them is an object and no task then.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from gateway.server.shared_results import Event
from gateway.server.subscriptions import Subscription

__all__ = ["Pusher"]


class Pusher(ABC):
    """Whoever makes one closes it; ``subscription`` is None until there is one to write."""

    __slots__ = ("_is_concluded", "_task", "subscription")

    def __init__(self) -> None:
        self.subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_concluded = False

    @abstractmethod
    async def give(self, events: Sequence[Event]) -> None:
        """Write results, one or more; waits while the client does not read."""

    @abstractmethod
    async def finish(self, fault: Exception | None) -> None:
        """Write the end, and what caused it when the stream was not complete."""

    @abstractmethod
    async def rest(self) -> None:
        """Write what is due besides, when no results wait."""

    @abstractmethod
    def cut(self, error: Exception) -> None:
        """End it without another word: nothing can be written any more."""

    def wake(self) -> None:
        """Look for something to write; what :meth:`Subscription` calls."""
        if self._task is None and not self._is_concluded:
            self.run(self.push)

    def stop(self) -> None:
        """End the subscription; nothing more is written."""
        self._is_concluded = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self.subscription is not None:
            self.subscription.close()

    async def aclose(self) -> None:
        """End the subscription, and return when nothing of it goes on."""
        task, subscription = self._task, self.subscription
        self.stop()
        if task is not None and task is not asyncio.current_task():
            await asyncio.wait({task})
        if subscription is not None:
            await subscription.aclose()

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run the one task that writes; what wakes it meanwhile, :meth:`push` at its end has to see."""
        self._task = asyncio.get_running_loop().create_task(self._guard(work))

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the connection is at fault, and its own task says so
            self.cut(error)
        finally:
            self._task = None

    async def conclude(self, fault: Exception | None) -> None:
        """Write the end, after which nothing follows."""
        self._is_concluded = True
        await self.finish(fault)

    async def push(self) -> None:
        """Write what waits, and return when nothing does."""
        subscription = self.subscription
        while subscription is not None:
            events = subscription.take()
            if events:
                await self.give(events)
            elif subscription.is_over:
                await self.conclude(subscription.fault)
                return
            elif subscription.has_to_move:
                try:
                    await subscription.move()
                except Exception as error:  # noqa: BLE001 - the client is told in the stream
                    await self.conclude(error)
                    return
            else:
                await self.rest()
                return
