"""GraphQL over HTTP to one subgraph, on a pool of kept connections.

The library's exceptions end here: each becomes one :class:`SubgraphError`, the most specific first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    ClientClosedError,
    ConnectError,
    DecodeError,
    PoolTimeoutError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.response import Response

from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import ACCEPT, SubgraphRequest, SubgraphResponse, SubgraphTransport, read_retry_after
from gateway.transport.limits import TransportLimits

__all__ = ["HttpTransport"]


class HttpTransport:
    """Sends queries and mutations by POST; subscriptions go to the transport given for them."""

    def __init__(
        self,
        subgraph: str,
        url: str,
        limits: TransportLimits,
        subscriptions: SubgraphTransport | None = None,
        accept: str = ACCEPT,
    ) -> None:
        self._subgraph = subgraph
        self._url = url
        self._limits = limits
        self._subscriptions = subscriptions
        self._accept = accept
        self._client: Client | None = None

    def _open(self) -> Client:
        """Return the client; made on first use because it belongs to the running event loop."""
        if self._client is None:
            limits = self._limits
            self._client = (
                ClientBuilder()
                .default_headers({"content-type": "application/json", "accept": self._accept})
                .user_agent("crossdock-gateway")
                .follow_redirects(False)
                .referer(False)
                .no_proxy()
                .max_connections(limits.max_connections)
                .pool_max_idle_per_host(limits.max_connections)
                .timeout(timedelta(seconds=limits.timeout_s))
                .connect_timeout(timedelta(seconds=limits.connect_timeout_s))
                .pool_timeout(timedelta(seconds=limits.timeout_s))
                .build()
            )
        return self._client

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        builder = self._open().post(self._url)
        upload = request.upload
        if upload is None:
            builder = builder.body_bytes(request.body)
        else:
            pieces = upload.take(self._subgraph, request.body)
            builder = builder.header("content-type", upload.content_type).body_stream(pieces)
        if request.headers:
            builder = builder.headers(request.headers)
        if request.timeout_s is not None and request.timeout_s < self._limits.timeout_s:
            builder = builder.timeout(timedelta(seconds=request.timeout_s))
        try:
            async with builder.build_streamed() as response:
                body = await self._read(response)
                retry_after_s = read_retry_after(response.get_header("retry-after"))
                return SubgraphResponse(
                    response.status,
                    response.get_header("content-type") or "",
                    body,
                    retry_after_s,
                    ", ".join(response.get_header_all("cache-control")),
                    response.get_header("age") or "",
                )
        except PyreqwestError as error:
            fault = None if upload is None else upload.fault(self._subgraph)
            raise fault or self._translate(error) from error

    async def _read(self, response: Response) -> bytes:
        most = self._limits.max_body_bytes
        length = response.get_header("content-length")
        if length is not None:
            if int(length) > most:
                raise self._too_large()
            return bytes(await response.bytes())
        chunks: list[bytes] = []
        size = 0
        reader = response.body_reader
        while (chunk := await reader.read_chunk()) is not None:
            size += len(chunk)
            if size > most:
                raise self._too_large()
            chunks.append(bytes(chunk))
        return b"".join(chunks)

    def _too_large(self) -> SubgraphError:
        return SubgraphError(
            ErrorCode.SUBGRAPH_TOO_LARGE,
            f"subgraph {self._subgraph} answered more than {self._limits.max_body_bytes} bytes",
            subgraph=self._subgraph,
            retryable=False,
        )

    def _translate(self, error: PyreqwestError) -> SubgraphError:
        name = self._subgraph
        code = ErrorCode.SUBGRAPH_UNAVAILABLE
        match error:
            case ConnectError():
                message = f"subgraph {name} cannot be reached"
            case PoolTimeoutError():
                message = f"subgraph {name} is busy: all {self._limits.max_connections} connections are in use"
            case RequestTimeoutError():
                code, message = ErrorCode.SUBGRAPH_TIMEOUT, f"subgraph {name} did not answer in time"
            case DecodeError():
                code, message = ErrorCode.SUBGRAPH_MALFORMED, f"subgraph {name} sent a body that cannot be decoded"
            case ClientClosedError():
                message = f"subgraph {name} was not asked because the gateway is stopping"
            case _:
                message = f"the connection to subgraph {name} broke"
        return SubgraphError(code, message, subgraph=name)

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        if self._subscriptions is None:
            message = f"subgraph {self._subgraph} has no way for subscriptions; name one in its settings"
            raise SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph, retryable=False)
        stream = self._subscriptions.subscribe(request)
        try:
            async for event in stream:
                yield event
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        """Close the pool and the transport for subscriptions."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        if self._subscriptions is not None:
            await self._subscriptions.aclose()
