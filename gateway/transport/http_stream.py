"""Subscriptions from a subgraph as one streamed HTTP answer each; how results stand in it is the format's matter."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import httptools
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response

from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from gateway.transport.http1_endpoint import Http1Endpoint
from gateway.transport.http1_stream import streamed_exchange
from gateway.transport.limits import TransportLimits
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["HttpStreamTransport", "MalformedStream", "ResultParser", "StreamFormat"]


class MalformedStream(Exception):
    """The body is not of its format; the text says how."""


class ResultParser(Protocol):
    """Finds the results in a body that comes in pieces."""

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """Yield the JSON text of each result that is complete now, None after the last one.

        Raises:
            OverflowError: a result is larger than the limit.
            MalformedStream: the body is not of the format.
        """
        ...


class MakesParsers(Protocol):
    """Makes the parser of one body."""

    def __call__(self, content_type: str, max_bytes: int) -> ResultParser:
        """Return the parser for a body of this type."""
        ...


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """One way to write a stream: what to ask for, which media type answers it, and its parser."""

    accept: str
    media_type: str
    parser: MakesParsers


_Begun = tuple[int, str, AsyncGenerator[bytes, None]]
"""Status and media type of an answer, and its body as it comes."""


async def _chunks(response: Response) -> AsyncGenerator[bytes, None]:
    while (chunk := await response.body_reader.read_chunk()) is not None:
        yield bytes(chunk)


class HttpStreamTransport:
    """Opens one streamed POST per subscription."""

    def __init__(
        self,
        subgraph: str,
        url: str,
        limits: TransportLimits,
        stream_format: StreamFormat,
        tls: SubgraphTlsContext | None = None,
    ) -> None:
        self._subgraph = subgraph
        self._url = url
        self._endpoint = None if tls is None else Http1Endpoint(subgraph, url, stream_format.accept, tls)
        self._limits = limits
        self._format = stream_format
        self._client: Client | None = None

    def _open(self) -> Client:
        if self._client is None:
            self._client = (
                ClientBuilder()
                .default_headers({"content-type": "application/json", "accept": self._format.accept})
                .follow_redirects(False)
                .no_proxy()
                .connect_timeout(timedelta(seconds=self._limits.connect_timeout_s))
                .build()
            )
        return self._client

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Answer with the first result of the stream; this transport is meant for subscriptions."""
        stream = self.subscribe(request)
        try:
            async for body in stream:
                return SubgraphResponse(200, "application/json", body)
        finally:
            await stream.aclose()
        raise self._broken("the stream ended without an answer")

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        has_begun = False
        try:
            async with self._ask(request) as (status, content_type, chunks):
                if status != 200 or not content_type.startswith(self._format.media_type):
                    raise self._refused(status)
                has_begun = True
                parser = self._format.parser(content_type, self._limits.max_body_bytes)
                async for chunk in chunks:
                    for result in parser.feed(chunk):
                        if result is None:
                            return
                        yield result
        except (PyreqwestError, OSError, httptools.HttpParserError) as error:
            raise self._broken("the connection broke", has_begun=has_begun) from error
        except MalformedStream as error:
            raise self._broken(str(error)) from error
        except OverflowError as error:
            message = f"subgraph {self._subgraph} sent an event larger than {self._limits.max_body_bytes} bytes"
            raise SubgraphError(
                ErrorCode.SUBGRAPH_TOO_LARGE, message, subgraph=self._subgraph, retryable=False
            ) from error
        raise self._broken("the stream ended without being completed")

    @asynccontextmanager
    async def _ask(self, request: SubgraphRequest) -> AsyncGenerator[_Begun, None]:
        if self._endpoint is not None:
            head = self._endpoint.head((*request.headers, ("content-type", "application/json")))
            async with (
                streamed_exchange(self._endpoint, head, request.body, self._limits.connect_timeout_s) as answer,
                aclosing(answer.pieces()) as pieces,
            ):
                yield answer.status, answer.content_type, pieces
            return
        builder = self._open().post(self._url).body_bytes(request.body).headers(request.headers)
        builder = builder.streamed_read_buffer_limit(0)  # events must come one by one, not when a buffer is full
        async with builder.build_streamed() as response, aclosing(_chunks(response)) as chunks:
            yield response.status, response.get_header("content-type") or "", chunks

    def _refused(self, status: int) -> SubgraphError:
        return SubgraphError(
            ErrorCode.SUBGRAPH_BAD_STATUS,
            f"subgraph {self._subgraph} did not start an event stream (HTTP status {status})",
            subgraph=self._subgraph,
            http_status_seen=status,
        )

    def _broken(self, what: str, *, has_begun: bool = True) -> SubgraphError:
        message = f"the subscription at subgraph {self._subgraph} failed: {what}"
        kind = StreamBroken if has_begun else SubgraphError
        return kind(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

    async def aclose(self) -> None:
        """Close the client and with it every stream."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
