"""Share identical queries in flight: while one is under way, equal ones wait for its answer.

Equal means the same body and the same headers, to the same subgraph. Mutations, subscriptions and
what must be fresh are never shared.
Nothing is kept once the answer is there, so this is no cache and cannot be stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["DedupeTransport"]


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[SubgraphResponse]
    waiters: int


class DedupeTransport:
    """Wraps a transport. The answers that it returns are shared and immutable."""

    def __init__(self, inner: SubgraphTransport) -> None:
        self._inner = inner
        self._flights: dict[tuple[bytes, tuple[tuple[str, str], ...]], _Flight] = {}

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`; cancelling one caller leaves the others waiting."""
        if request.is_mutation or request.is_fresh:
            return await self._inner.send(request)
        key = (request.body, request.headers)
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(asyncio.get_running_loop().create_task(self._inner.send(request)), 0)
            self._flights[key] = flight
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if (flight.task.done() or flight.waiters == 0) and self._flights.get(key) is flight:
                del self._flights[key]
            if flight.waiters == 0 and not flight.task.done():
                flight.task.cancel()

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through."""
        return self._inner.subscribe(request)

    async def aclose(self) -> None:
        """Close the inner transport; what is in flight ends as that lets it."""
        await self._inner.aclose()
