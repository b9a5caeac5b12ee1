"""A transport whose streams the test feeds, event by event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from gateway.transport.base import SubgraphRequest, SubgraphResponse


class Stream:
    """One stream that was asked for; ``closed`` is set when it was left or has ended."""

    def __init__(self, request: SubgraphRequest) -> None:
        self.request = request
        self.closed = asyncio.Event()
        self._events: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    def send(self, *numbers: int) -> None:
        for number in numbers:
            event = {"__typename": "Change", "eventId": f"e{number}", "_cursor": f"e{number}", "n": number}
            self._events.put_nowait(orjson.dumps({"data": {"changed": event, "ticked": event}}))

    def put(self, event: bytes) -> None:
        """Send an event as it is."""
        self._events.put_nowait(event)

    def end(self, error: Exception | None = None) -> None:
        self._events.put_nowait(error)

    async def follow(self) -> AsyncGenerator[bytes, None]:
        try:
            while (event := await self._events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed.set()


class Feed:
    """Holds every stream that was asked for, the oldest first."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self._asked = asyncio.Condition()

    async def opened(self, many: int) -> list[Stream]:
        """Return the streams once so many were asked for."""
        async with asyncio.timeout(60), self._asked:
            await self._asked.wait_for(lambda: len(self.streams) >= many)
        return self.streams

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        raise AssertionError("nothing is asked by query")

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        stream = Stream(request)
        self.streams.append(stream)
        async with self._asked:
            self._asked.notify_all()
        async with aclosing(stream.follow()) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        for stream in self.streams:
            stream.end()
