"""Subscriptions from a subgraph by server-sent events, one request per subscription (graphql-sse, distinct mode)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.transport.http_stream import HttpStreamTransport, StreamFormat
from gateway.transport.limits import TransportLimits
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["EventParser", "SseTransport"]


class EventParser:
    """Cuts a stream of bytes into server-sent events."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = b""
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """Yield (event name, data) for each event that is complete now; the name is empty when none was sent.

        Raises:
            OverflowError: an event is larger than the limit.
        """
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > self._max_bytes:
            raise OverflowError
        for raw in lines:
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            if line:
                self._take(line)
            else:
                if self._data or self._event:
                    yield self._event, "\n".join(self._data)
                self._event, self._data, self._size = "", [], 0

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._size += len(value)
            if self._size > self._max_bytes:
                raise OverflowError
            self._data.append(value)


class _Results:
    """The results among the events."""

    def __init__(self, content_type: str, max_bytes: int) -> None:
        del content_type
        self._events = EventParser(max_bytes)

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """See :class:`gateway.transport.http_stream.ResultParser`."""
        for name, data in self._events.feed(chunk):
            if name == "complete":
                yield None
            elif name in {"", "next"} and data:
                yield data.encode()


class SseTransport(HttpStreamTransport):
    """Asks for ``text/event-stream``."""

    def __init__(self, subgraph: str, url: str, limits: TransportLimits, tls: SubgraphTlsContext | None = None) -> None:
        super().__init__(subgraph, url, limits, StreamFormat("text/event-stream", "text/event-stream", _Results), tls)
