"""Ways to subgraphs that outlive the supergraphs and settings under which they were opened.

Each graph leases its transports. While the address of a subgraph and the settings of the way to it stay the same, the
next graph leases the same one: its connections, and what its circuit breaker has counted, go on. The streams of a lease
end with the lease, so that none keeps a graph alive that is not served any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import aclosing

from gateway.errors import ErrorCode, StreamBroken
from gateway.transport.base import SubgraphRequest, SubgraphTransport

__all__ = ["Lease", "Pools"]


class Pools:
    """The transports of one gateway; those that are ``given`` from outside are closed at the very end only."""

    def __init__(self, given: Mapping[str, SubgraphTransport]) -> None:
        self.given = dict(given)
        self._open: dict[Hashable, _Pool] = {}

    def lease(self, subgraph: str, key: Hashable, make: Callable[[], SubgraphTransport]) -> Lease:
        """Return the transport to a subgraph, made anew unless one with an equal key is leased.

        Raises:
            ConfigError: as ``make``.
        """
        given = self.given.get(subgraph)
        if given is not None:
            return Lease(subgraph, given, None)
        pool = self._open.get((subgraph, key))
        if pool is None:
            pool = self._open[subgraph, key] = _Pool(make(), lambda: self._open.pop((subgraph, key), None))
        pool.leases += 1
        return Lease(subgraph, pool.transport, pool)

    async def aclose(self) -> None:
        """Close the transports that were given; the others end with their leases."""
        for transport in self.given.values():
            await transport.aclose()


class _Pool:
    def __init__(self, transport: SubgraphTransport, forget: Callable[[], object]) -> None:
        self.transport = transport
        self.leases = 0
        self._forget = forget

    def drop(self) -> bool:
        """Count one lease less; True for the last one."""
        self.leases -= 1
        if self.leases == 0:
            self._forget()
        return self.leases == 0

    async def give_back(self) -> None:
        if self.drop():
            await self.transport.aclose()


class Lease:
    """A transport to a subgraph for as long as one graph is served; closing it ends the lease."""

    def __init__(self, subgraph: str, transport: SubgraphTransport, pool: _Pool | None) -> None:
        self._subgraph = subgraph
        self._transport = transport
        self._pool = pool
        self._waiting: set[asyncio.Timeout] = set()
        self._is_over = False
        self.send = transport.send  # nothing is added to a request, so it takes no step more

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through, until the lease ends."""
        async with aclosing(self._transport.subscribe(request)) as events:
            while (event := await self._next(events)) is not None:
                yield event

    async def _next(self, events: AsyncGenerator[bytes, None]) -> bytes | None:
        if self._is_over:
            raise self._ended()
        try:
            async with asyncio.timeout(None) as waiting:
                self._waiting.add(waiting)
                return await anext(events, None)
        except TimeoutError as error:
            if waiting.expired():
                raise self._ended() from error
            raise
        finally:
            self._waiting.discard(waiting)

    def _ended(self) -> StreamBroken:
        message = f"the gateway closed its way to subgraph {self._subgraph}, because what it serves has changed"
        return StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

    def drop(self) -> None:
        """End a lease by which nothing was sent yet."""
        self._is_over = True
        if self._pool is not None:
            self._pool.drop()

    async def aclose(self) -> None:
        """End the streams of the lease; the last lease closes the transport."""
        if self._is_over:
            return
        self._is_over = True
        now = asyncio.get_running_loop().time()
        for waiting in self._waiting:
            waiting.reschedule(now)
        if self._pool is not None:
            await self._pool.give_back()
