"""Subscriptions from a subgraph by server-sent events, one request per subscription (graphql-sse, distinct mode)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import ResponseBodyReader

from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from gateway.transport.limits import TransportLimits

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


class SseTransport:
    """Opens one streamed POST per subscription."""

    def __init__(self, subgraph: str, url: str, limits: TransportLimits) -> None:
        self._subgraph = subgraph
        self._url = url
        self._limits = limits
        self._client: Client | None = None

    def _open(self) -> Client:
        if self._client is None:
            self._client = (
                ClientBuilder()
                .default_headers({"content-type": "application/json", "accept": "text/event-stream"})
                .follow_redirects(False)
                .no_proxy()
                .connect_timeout(timedelta(seconds=self._limits.connect_timeout_s))
                .build()
            )
        return self._client

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Answer with the first event of the stream; this transport is meant for subscriptions."""
        stream = self.subscribe(request)
        try:
            async for body in stream:
                return SubgraphResponse(200, "application/json", body)
        finally:
            await stream.aclose()
        raise self._broken("the stream ended without an answer")

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        builder = self._open().post(self._url).body_bytes(request.body).headers(request.headers)
        builder = builder.streamed_read_buffer_limit(0)  # events must come one by one, not when a buffer is full
        parser = EventParser(self._limits.max_body_bytes)
        try:
            async with builder.build_streamed() as response:
                content_type = response.get_header("content-type") or ""
                if response.status != 200 or not content_type.startswith("text/event-stream"):
                    raise self._refused(response.status)
                async for name, data in self._events(response.body_reader, parser):
                    if name == "complete":
                        return
                    if name in {"", "next"} and data:
                        yield data.encode()
        except PyreqwestError as error:
            raise self._broken("the connection broke") from error
        except OverflowError as error:
            message = f"subgraph {self._subgraph} sent an event larger than {self._limits.max_body_bytes} bytes"
            raise SubgraphError(
                ErrorCode.SUBGRAPH_TOO_LARGE, message, subgraph=self._subgraph, retryable=False
            ) from error
        raise self._broken("the stream ended without being completed")

    async def _events(self, reader: ResponseBodyReader, parser: EventParser) -> AsyncIterator[tuple[str, str]]:
        while (chunk := await reader.read_chunk()) is not None:
            for event in parser.feed(bytes(chunk)):
                yield event

    def _refused(self, status: int) -> SubgraphError:
        return SubgraphError(
            ErrorCode.SUBGRAPH_BAD_STATUS,
            f"subgraph {self._subgraph} did not start an event stream (HTTP status {status})",
            subgraph=self._subgraph,
            http_status_seen=status,
        )

    def _broken(self, what: str) -> SubgraphError:
        message = f"the subscription at subgraph {self._subgraph} failed: {what}"
        return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

    async def aclose(self) -> None:
        """Close the client and with it every stream."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
