"""A transport whose answers are written in the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson

from gateway.transport.base import SubgraphRequest, SubgraphResponse

Reply = Callable[[dict[str, Any]], Any]


class FakeTransport:
    """Answers with what ``reply`` makes of the decoded request; an exception is raised, bytes are sent as they are."""

    def __init__(self, reply: Reply | None = None, *, status: int = 200, events: list[Any] | None = None) -> None:
        self._reply = reply or (lambda request: {"data": {}})
        self._status = status
        self._events = events or []
        self.requests: list[dict[str, Any]] = []
        self.seen: list[SubgraphRequest] = []
        self.gate: asyncio.Event | None = None
        self.started = asyncio.Event()
        self.is_closed = False
        self.unsubscribed = 0

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        self.seen.append(request)
        self.requests.append(orjson.loads(request.body))
        self.started.set()
        if self.gate is not None:
            await self.gate.wait()
        answer = self._reply(self.requests[-1])
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        return SubgraphResponse(self._status, "application/json", body)

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        self.requests.append(orjson.loads(request.body))
        try:
            for event in self._events:
                if isinstance(event, Exception):
                    raise event
                yield orjson.dumps(event)
        finally:
            self.unsubscribed += 1

    async def aclose(self) -> None:
        self.is_closed = True
