"""Let clients who follow the same thing share one stream from a subgraph.

Same means: the same subgraph, body, headers and audience; who asks stands for the signed claims, which are renewed all
the time. A stream that began at a cursor, or was taken up again after one, also takes in clients whose own cursor is
among its last events, and sends them what they lack. One that began without takes in clients without.

Each client has a bounded list of events that wait for it. While one is full and none is empty the subgraph is not read
on. A client whose full list keeps others from going on for a second in all, without having caught up meanwhile, leaves
the stream: one that can resume goes on by a stream of its own, another one ends with SLOW_CLIENT.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass, replace

from gateway.errors import ErrorCode, RequestError, StreamBroken
from gateway.transport.base import SharingTerms, SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["SharedStreamTransport", "StreamCount"]

_REPLAYED_SHARE = 2
"""One part in so many of what may wait for a client is remembered for those who join with a cursor."""

HOLD_UP_S = 1.0
"""Seconds for which a slow client may keep others waiting; after a burst of events most catch up within this."""


@dataclass(slots=True)
class StreamCount:
    """Counts streams from subgraphs that are under way."""

    running: int = 0


class SharedStreamTransport:
    """Wraps the transport of one subgraph.

    Args:
        claims_header: header with the signed claims, left out when requests are compared; None when there is none.
        max_waiting: events that wait for one client.
        count: where streams are counted.
    """

    def __init__(
        self,
        subgraph: str,
        inner: SubgraphTransport,
        claims_header: str | None = None,
        max_waiting: int = 64,
        count: StreamCount | None = None,
    ) -> None:
        self._subgraph = subgraph
        self._inner = inner
        self._claims_header = claims_header
        self._max_waiting = max_waiting
        self._count = count or StreamCount()
        self._streams: dict[Hashable, list[_Stream]] = {}

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Pass through."""
        return await self._inner.send(request)

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`; a request without terms has a stream of its own."""
        terms = request.sharing
        if terms is None:
            self._count.running += 1
            try:
                async with aclosing(self._inner.subscribe(request)) as events:
                    async for event in events:
                        yield event
            finally:
                self._count.running -= 1
            return
        stream = self._find(request, terms)
        member = stream.join(terms.after)
        try:
            while (told := await member.take()) is not None:
                yield told
        finally:
            await stream.leave(member)

    async def aclose(self) -> None:
        """Close the inner transport, then end what still goes on."""
        await self._inner.aclose()
        for streams in list(self._streams.values()):
            for stream in list(streams):
                await stream.aclose()

    def _find(self, request: SubgraphRequest, terms: SharingTerms) -> _Stream:
        headers = tuple(item for item in request.headers if item[0] != self._claims_header)
        key = (terms.body, terms.audience, headers)
        streams = self._streams.setdefault(key, [])
        for stream in streams:
            if stream.takes_in(terms.after):
                return stream

        def forget() -> None:
            streams.remove(stream)
            if not streams:
                del self._streams[key]
            self._count.running -= 1

        self._count.running += 1
        events = self._inner.subscribe(replace(request, sharing=None))
        stream = _Stream(self._subgraph, events, terms, self._max_waiting)
        streams.append(stream)
        stream.reader.add_done_callback(lambda _: forget())
        return stream


class _Member:
    """One client of a stream."""

    def __init__(self, stream: _Stream, waiting: deque[bytes]) -> None:
        self._stream = stream
        self.waiting = waiting
        self.held_up_s = 0.0
        """Seconds for which others waited for this one since it had caught up."""
        self._taker: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self._is_over = False

    def put(self, event: bytes) -> None:
        self.waiting.append(event)
        _wake(self._taker)

    def end(self, fault: Exception | None) -> None:
        """Let the member take what waits, and then the fault."""
        if not self._is_over:
            self._is_over, self._fault = True, fault
            _wake(self._taker)

    async def take(self) -> bytes | None:
        while not self.waiting:
            if self._is_over:
                if self._fault is not None:
                    raise self._fault.with_traceback(None)
                return None
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        event = self.waiting.popleft()
        if not self.waiting:
            self.held_up_s = 0.0
        self._stream.make_room()
        return event


class _Stream:
    """One stream from the subgraph and those who follow it."""

    def __init__(
        self, subgraph: str, events: AsyncGenerator[bytes, None], terms: SharingTerms, max_waiting: int
    ) -> None:
        self._subgraph = subgraph
        self._events = events
        self._terms = terms
        self._max_waiting = max_waiting
        self._members: set[_Member] = set()
        self._before = terms.after
        """Cursor of the event before the first one that is remembered."""
        self._last: deque[tuple[str | None, bytes]] = deque()
        self._room: asyncio.Future[None] | None = None
        self._is_over = False
        self.reader = asyncio.get_running_loop().create_task(self._read())

    def takes_in(self, after: str | None) -> bool:
        """Tell whether a client with this cursor misses nothing here and gets nothing twice."""
        if self._is_over:
            return False
        if after is None:
            return self._terms.after is None
        return after == self._before or any(cursor == after for cursor, _ in self._last)

    def join(self, after: str | None) -> _Member:
        """Add a client that the stream takes in."""
        missed: deque[bytes] = deque()
        if after is not None:
            is_after = after == self._before
            for cursor, event in self._last:
                if is_after:
                    missed.append(event)
                is_after = is_after or cursor == after
        member = _Member(self, missed)
        self._members.add(member)
        return member

    async def leave(self, member: _Member) -> None:
        """Take a client out; the last one ends the stream at the subgraph."""
        self._members.discard(member)
        self.make_room()
        if not self._members:
            await self.aclose()

    async def aclose(self) -> None:
        """End the stream at the subgraph, and for those who follow it yet."""
        self._end(StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, "the stream was closed", subgraph=self._subgraph))
        self.reader.cancel()
        await asyncio.gather(self.reader, return_exceptions=True)

    def make_room(self) -> None:
        """Read on, where this waits for the clients."""
        _wake(self._room)

    async def _read(self) -> None:
        try:
            async with aclosing(self._events):
                async for event in self._events:
                    await self._wait_for_room()
                    self._remember(event)
                    for member in self._members:
                        member.put(event)
        except Exception as error:  # noqa: BLE001 - each client gets it in its place
            self._end(error)
        else:
            self._end(None)

    async def _wait_for_room(self) -> None:
        """Return when every client has room; those that hold others up for too long are not waited for."""
        loop = asyncio.get_running_loop()
        while full := [member for member in self._members if len(member.waiting) >= self._max_waiting]:
            holds_up = any(not member.waiting for member in self._members)
            slowest = max(full, key=lambda member: member.held_up_s)
            left = HOLD_UP_S - slowest.held_up_s if holds_up else None
            if left is not None and left <= 0:
                self._let_go(slowest)
                continue
            self._room, since = loop.create_future(), loop.time()
            await asyncio.wait({self._room}, timeout=left)
            if holds_up:
                for member in full:
                    member.held_up_s += loop.time() - since

    def _let_go(self, member: _Member) -> None:
        self._members.discard(member)
        if self._terms.cursor_of is not None:
            message = "the client was slower than the others of its stream"
            member.end(StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph))
        else:
            message = (
                f"the client left {self._max_waiting} events of a shared stream waiting while others read on; the "
                "subscription ended, events after this are missing: read faster, and subscribe again"
            )
            member.end(RequestError(ErrorCode.SLOW_CLIENT, message))

    def _remember(self, event: bytes) -> None:
        read = self._terms.cursor_of
        if read is None:
            return
        self._last.append((read(event), event))
        if len(self._last) > self._max_waiting // _REPLAYED_SHARE:
            self._before = self._last.popleft()[0]

    def _end(self, fault: Exception | None) -> None:
        self._is_over = True
        for member in self._members:
            member.end(fault)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
