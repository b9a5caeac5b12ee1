"""Let clients who follow the same thing share one stream from a subgraph.

Same means: the same subgraph, body, headers and audience; who asks stands for the signed claims, which are renewed all
the time. A stream that began at a cursor, or was taken up again after one, also takes in clients whose own cursor is
among its last events, and sends them what they lack. One that began without takes in clients without.

A client that is too slow for the others leaves the stream: one that can resume goes on by a stream of its own, another
one ends with SLOW_CLIENT.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass, replace

from gateway.errors import ErrorCode, GatewayError, RequestError, StreamBroken
from gateway.transport.base import SharingTerms, SubgraphRequest, SubgraphResponse, SubgraphTransport
from gateway.transport.fan_out import Bell, FanOut, FellBehind

__all__ = ["SharedStreamTransport", "StreamCount"]


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
        self._streams: dict[Hashable, list[FanOut[bytes]]] = {}

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
        bell = Bell()
        member = self._find(request, terms).join(terms.after, bell.ring)
        try:
            while not member.is_over:
                waiting = member.take()
                for event in waiting:
                    yield event
                if not waiting:
                    await bell.wait()
        finally:
            member.leave()
            await member.left()
        if isinstance(member.fault, FellBehind):
            raise self._too_slow(terms)
        if member.fault is not None:
            raise member.fault.with_traceback(None)

    async def aclose(self) -> None:
        """Close the inner transport, then end what still goes on."""
        await self._inner.aclose()
        closed = StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, "the stream was closed", subgraph=self._subgraph)
        for streams in list(self._streams.values()):
            for stream in list(streams):
                stream.close(closed)
                await stream.closed()

    def _find(self, request: SubgraphRequest, terms: SharingTerms) -> FanOut[bytes]:
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
        stream = FanOut(events, self._max_waiting, after=terms.after, cursor_of=terms.cursor_of)
        streams.append(stream)
        stream.reader.add_done_callback(lambda _: forget())
        return stream

    def _too_slow(self, terms: SharingTerms) -> GatewayError:
        if terms.cursor_of is not None:
            message = "the client was slower than the others of its stream"
            return StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)
        message = (
            f"the client left {self._max_waiting} events of a shared stream waiting while others read on; the "
            "subscription ended, events after this are missing: read faster, and subscribe again"
        )
        return RequestError(ErrorCode.SLOW_CLIENT, message)
