"""Subscriptions from a subgraph as ``multipart/mixed;subscriptionSpec=1.0``: each part of one answer is an event.

https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from gateway.transport.http_stream import HttpStreamTransport, MalformedStream, StreamFormat
from gateway.transport.limits import TransportLimits
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["MultipartTransport", "PartParser"]

_ACCEPT = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json;q=0.9'
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)


class PartParser:
    """Cuts a body into parts and takes the results out of them.

    Most servers write the delimiter before a part. So that an event does not wait for the next one, a part also counts
    as complete once its JSON is. Others write it after each part and once more at the end; the part between these two
    has nothing in it.
    """

    def __init__(self, content_type: str, max_bytes: int) -> None:
        found = _BOUNDARY.search(content_type)
        self._delimiter = b"\r\n--" + (found[1] or found[2] if found else "-").encode()
        self._max_bytes = max_bytes
        self._buffer = b"\r\n"
        self._is_inside = False
        self._is_taken = False

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """See :class:`gateway.transport.http_stream.ResultParser`."""
        self._buffer += chunk
        while True:
            before, delimiter, rest = self._buffer.partition(self._delimiter)
            if not delimiter:
                break
            if self._is_inside and not self._is_taken and before.strip():
                yield from _results(_content(before))
            self._is_inside, self._is_taken, self._buffer = True, False, rest
        if self._is_inside and self._buffer.startswith(b"--"):
            yield None
        elif self._is_inside and not self._is_taken and self._buffer.rstrip().endswith(b"}"):
            yield from self._take_early()
        if len(self._buffer) > self._max_bytes:
            raise OverflowError

    def _take_early(self) -> Iterator[bytes]:
        try:
            found = list(_results(_content(self._buffer)))
        except MalformedStream:
            return  # there is more to come
        self._is_taken = True
        yield from found


def _content(part: bytes) -> bytes:
    """Return what follows the headers of a part."""
    _, separator, content = part.partition(b"\r\n\r\n")
    if not separator:
        raise MalformedStream("a part has no end of its headers")
    return content


def _results(content: bytes) -> Iterator[bytes]:
    """Yield the result in a part, none when it is a sign of life."""
    try:
        message: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise MalformedStream("a part is not JSON") from error
    if not isinstance(message, dict):
        raise MalformedStream("a part is not an object")
    if message.get("payload") is not None:
        yield orjson.dumps(message["payload"])
    elif message.get("errors"):
        yield orjson.dumps({"errors": message["errors"]})
    elif "data" in message:
        yield content


class MultipartTransport(HttpStreamTransport):
    """Asks for ``multipart/mixed``."""

    def __init__(self, subgraph: str, url: str, limits: TransportLimits, tls: SubgraphTlsContext | None = None) -> None:
        super().__init__(subgraph, url, limits, StreamFormat(_ACCEPT, "multipart/mixed", PartParser), tls)
