"""GraphQL over HTTP/1.1 to one subgraph, written for the request that the gateway sends most.

A subgraph beside the gateway answers in a millisecond, and a general HTTP client then costs more than the rest of the
way (figures in ``bench/``). This one only does what a GraphQL POST needs: kept connections, a limit on them, a
deadline, a largest body, content codings, and TLS where the settings name certificates. Other TLS, and
HTTP/2, are for :mod:`gateway.transport.http`.

A kept connection may be closed by the subgraph at the moment that it is used again. A query is then sent once more on
a new connection. A mutation is not; instead it only takes a connection that was in use a moment ago, or a new one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from typing import cast

import httptools

from gateway.encodings import CorruptBody, read_encoding, unpack
from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import ACCEPT, SubgraphRequest, SubgraphResponse, SubgraphTransport, read_retry_after
from gateway.transport.http1_endpoint import MAX_HEADER_BYTES, Http1Endpoint
from gateway.transport.http1_upload import send_upload
from gateway.transport.limits import TransportLimits
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["Http1Transport"]

MAX_IDLE_S = 4.0
"""A connection that rested longer is not used again; common servers close theirs after 5 seconds."""

MAX_IDLE_FOR_MUTATION_S = 0.5
"""A mutation cannot be sent twice, so it keeps further away from the moment at which servers close."""

_HEADERS = b"content-type: application/json\r\naccept-encoding: zstd, br, gzip\r\n"


class Http1Transport:
    """Sends queries and mutations by POST; subscriptions go to the transport given for them."""

    def __init__(
        self,
        subgraph: str,
        url: str,
        limits: TransportLimits,
        subscriptions: SubgraphTransport | None = None,
        accept: str = ACCEPT,
        tls: SubgraphTlsContext | None = None,
    ) -> None:
        self._subgraph = subgraph
        self._endpoint = Http1Endpoint(subgraph, url, accept, tls)
        self._limits = limits
        self._subscriptions = subscriptions
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._slots = asyncio.Semaphore(limits.max_connections)
        self._is_closed = False

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        if request.upload is not None:
            return await send_upload(self._endpoint, request, request.upload, self._limits)
        timeout = self._limits.timeout_s
        if request.timeout_s is not None and request.timeout_s < timeout:
            timeout = request.timeout_s
        deadline = asyncio.get_running_loop().time() + timeout
        message = self._message(request)
        if self._slots.locked():
            await self._wait_for_slot(deadline)
        else:
            await self._slots.acquire()
        try:
            connection = self._take_idle(MAX_IDLE_FOR_MUTATION_S if request.is_mutation else MAX_IDLE_S)
            if connection is not None:
                try:
                    return await self._exchange(connection, message, deadline)
                except _ClosedBeforeAnswer:
                    if request.is_mutation:
                        raise self._broken() from None
            return await self._exchange(await self._connect(deadline), message, deadline)
        except _ClosedBeforeAnswer:
            raise self._broken() from None
        finally:
            self._slots.release()

    def _message(self, request: SubgraphRequest) -> bytes:
        parts = self._endpoint.head(request.headers)
        parts.append(_HEADERS + b"content-length: %d\r\n\r\n" % len(request.body))
        parts.append(request.body)
        return b"".join(parts)

    def _take_idle(self, max_idle_s: float) -> _Connection | None:
        """Return the connection used last, when it did not rest too long; older ones are closed."""
        oldest = asyncio.get_running_loop().time() - max_idle_s
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None

    async def _wait_for_slot(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError as error:
            message = f"subgraph {self._subgraph} is busy: all {self._limits.max_connections} connections are in use"
            raise SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph) from error

    async def _connect(self, deadline: float) -> _Connection:
        if self._is_closed:
            message = f"subgraph {self._subgraph} was not asked because the gateway is stopping"
            raise SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)
        loop = asyncio.get_running_loop()
        until = min(deadline, loop.time() + self._limits.connect_timeout_s)
        try:
            async with asyncio.timeout_at(until):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._limits.max_body_bytes), **self._endpoint.where
                )
        except (OSError, TimeoutError) as error:
            raise self._endpoint.unreachable(error) from error
        return connection

    async def _exchange(self, connection: _Connection, message: bytes, deadline: float) -> SubgraphResponse:
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, connection.fail, TimeoutError())
        self._busy.add(connection)
        try:
            response = await connection.exchange(message)
        except TimeoutError as error:
            text = f"subgraph {self._subgraph} did not answer in time"
            raise SubgraphError(ErrorCode.SUBGRAPH_TIMEOUT, text, subgraph=self._subgraph) from error
        except OverflowError as error:
            text = f"subgraph {self._subgraph} answered more than {self._limits.max_body_bytes} bytes"
            raise SubgraphError(ErrorCode.SUBGRAPH_TOO_LARGE, text, subgraph=self._subgraph, retryable=False) from error
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, CorruptBody) as error:
            text = f"subgraph {self._subgraph} sent an answer that is not HTTP or cannot be decoded"
            raise SubgraphError(ErrorCode.SUBGRAPH_MALFORMED, text, subgraph=self._subgraph) from error
        except _ClosedBeforeAnswer:
            raise
        except ssl.SSLError as error:
            raise self._endpoint.refused(error) from error
        except ConnectionError as error:
            raise self._broken() from error
        finally:
            timer.cancel()
            self._busy.discard(connection)
        if connection.can_be_kept and not connection.is_closed and not self._is_closed:
            connection.idle_since = loop.time()
            self._idle.append(connection)
        else:
            connection.abort()
        return response

    def _broken(self) -> SubgraphError:
        message = f"the connection to subgraph {self._subgraph} broke"
        return SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

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
        """Close every connection; requests in flight fail."""
        self._is_closed = True
        for connection in (*self._idle, *self._busy):
            connection.abort()
        self._idle.clear()
        if self._subscriptions is not None:
            await self._subscriptions.aclose()


class _ClosedBeforeAnswer(ConnectionError):
    """The connection was closed before the first byte of an answer."""


class _Connection(asyncio.Protocol):
    """One connection with at most one request on it."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[SubgraphResponse] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.is_closed = False
        self.can_be_kept = False
        self.idle_since = 0.0
        self._reset()

    def _reset(self) -> None:
        self._content_type = ""
        self._retry_after_s: float | None = None
        self._encoding = ""
        self._cache_control = self._age = ""
        self._is_delimited = False
        self._has_headers = False
        self._has_bytes = False
        self._body: bytes | bytearray = b""
        self._header_bytes = 0
        self._unread_bytes = 0

    async def exchange(self, message: bytes) -> SubgraphResponse:
        """Send a request and return its answer; when cancelled or failed the connection is closed."""
        if self._transport is None or self.is_closed:
            raise _ClosedBeforeAnswer
        self._reset()
        self.can_be_kept = False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        try:
            return await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None

    def fail(self, error: Exception) -> None:
        """Give up the request under way."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def abort(self) -> None:
        """Close at once."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class does not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        if self._waiter is None or self._waiter.done():
            self.abort()  # bytes that nobody asked for: the connection is out of step
            return
        self._has_bytes = True
        self._unread_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.can_be_kept = False  # also when the answer was complete and something else came after it
            self.fail(error.__context__ if isinstance(error.__context__, OverflowError) else error)
        if self._unread_bytes > MAX_HEADER_BYTES:
            self.fail(OverflowError())  # a header, a trailer or a chunk's extension without an end

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer that lasts until the connection closes, or fail the request."""
        self.is_closed = True
        if self._waiter is None or self._waiter.done():
            return
        if self._has_headers and not self._is_delimited and exc is None:
            self._finish()
        elif isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
            self.fail(exc)
        elif self._has_bytes:
            self.fail(ConnectionError("the answer was cut off"))
        else:
            self.fail(_ClosedBeforeAnswer())

    def on_message_begin(self) -> None:
        """Give the connection up when a second answer follows one: nobody asked for it."""
        if self._waiter is None or self._waiter.done():
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what matters of a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES:
            raise OverflowError
        name = name.lower()
        if name == b"content-type":
            self._content_type = value.decode("latin-1")
        elif name == b"content-length":
            self._is_delimited = True
            if int(value) > self._max_body_bytes:
                raise OverflowError
        elif name == b"transfer-encoding":
            self._is_delimited = True
        elif name == b"retry-after":
            self._retry_after_s = read_retry_after(value.decode("latin-1"))
        elif name == b"cache-control":
            text = value.decode("latin-1")
            self._cache_control = f"{self._cache_control}, {text}" if self._cache_control else text
        elif name == b"age":
            self._age = value.decode("latin-1")
        elif name == b"content-encoding":
            self._encoding = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note that a body may follow."""
        self._has_headers = True
        self._unread_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if len(self._body) + len(body) > self._max_body_bytes:
            raise OverflowError
        if not self._body:
            self._body = body
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body) + body  # one buffer, however small the pieces are
        self._unread_bytes = 0

    def on_message_complete(self) -> None:
        """Hand the answer over; an interim answer (1xx) is skipped."""
        if self._parser.get_status_code() < 200:
            self._reset()
            return
        if self._waiter is not None and not self._waiter.done():
            self.can_be_kept = self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        body = bytes(self._body)
        try:
            if self._encoding and body:
                body = self._unpack(body)
        except (OverflowError, CorruptBody) as error:
            self.fail(error)
            return
        status = self._parser.get_status_code()
        waiter.set_result(
            SubgraphResponse(status, self._content_type, body, self._retry_after_s, self._cache_control, self._age)
        )

    def _unpack(self, body: bytes) -> bytes:
        try:
            encoding = read_encoding(self._encoding)
        except ValueError as error:
            raise CorruptBody("its content coding was not asked for") from error
        return body if encoding is None else unpack(encoding, body, self._max_body_bytes)
