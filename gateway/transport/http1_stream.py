"""One request whose answer, and body if need be, come piece by piece, on a connection of its own.

For files, and for streams of subgraphs whose certificates the settings name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httptools

from gateway.transport.http1_endpoint import MAX_HEADER_BYTES, Http1Endpoint

__all__ = ["StreamedAnswer", "streamed_exchange"]

_READ_BYTES = 64 * 1024
"""Most bytes that are read ahead; a subgraph that sends more waits until they are taken."""


class StreamedAnswer:
    """An answer whose body has yet to be read.

    Attributes:
        status: HTTP status.
        content_type: media type with parameters, empty when absent.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._has_head = False
        self._is_delimited = False
        self._is_complete = False
        self._header_bytes = 0
        self._unread_bytes = 0
        self.status = 0
        self.content_type = ""

    async def read_head(self) -> None:
        """Read up to the end of the headers."""
        while not self._has_head:
            await self._read()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes.

        Raises:
            ConnectionError: it was cut off.
            httptools.HttpParserError: it is not HTTP.
        """
        while True:
            taken, self._pieces = self._pieces, []
            for piece in taken:
                yield piece
            if self._is_complete:
                return
            await self._read()

    async def _read(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if not data:
            if not self._has_head or self._is_delimited:
                raise ConnectionError("the answer was cut off")
            self._is_complete = True
            return
        self._unread_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise (error.__context__ or error) from None
        except httptools.HttpParserUpgrade as error:
            raise httptools.HttpParserError("the subgraph changes the protocol") from error
        if self._unread_bytes > MAX_HEADER_BYTES:
            raise OverflowError  # a header, a trailer or a chunk's extension without an end

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what matters of a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES:
            raise OverflowError
        name = name.lower()
        if name == b"content-type":
            self.content_type = value.decode("latin-1")
        elif name in {b"content-length", b"transfer-encoding"}:
            self._is_delimited = True

    def on_headers_complete(self) -> None:
        """Take the status; an interim answer (1xx) is skipped."""
        self.status = self._parser.get_status_code()
        self._has_head = self.status >= 200
        self._unread_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._pieces.append(body)
        self._unread_bytes = 0

    def on_message_complete(self) -> None:
        """Note the end."""
        self._is_complete = self._has_head


@asynccontextmanager
async def streamed_exchange(
    endpoint: Http1Endpoint, head: list[bytes], body: bytes | AsyncIterator[bytes], connect_timeout_s: float
) -> AsyncGenerator[StreamedAnswer, None]:
    """Send a request and give its answer, of which the head is read; leaving closes the connection.

    Raises:
        SubgraphError: no connection can be made.
        OSError: it broke.
        httptools.HttpParserError: what came is not HTTP.
        OverflowError: the headers are too large.
    """
    try:
        async with asyncio.timeout(connect_timeout_s):
            reader, writer = await asyncio.open_connection(**endpoint.where, limit=_READ_BYTES)
    except (OSError, TimeoutError) as error:
        raise endpoint.unreachable(error) from error
    try:
        if isinstance(body, bytes):
            writer.write(b"".join((*head, b"content-length: %d\r\n\r\n" % len(body), body)))
            await writer.drain()
        else:
            await _write_chunks(writer, head, body)
        answer = StreamedAnswer(reader)
        await answer.read_head()
        yield answer
    finally:
        writer.transport.abort()


async def _write_chunks(writer: asyncio.StreamWriter, head: list[bytes], body: AsyncIterator[bytes]) -> None:
    writer.write(b"".join((*head, b"transfer-encoding: chunked\r\n\r\n")))
    async for piece in body:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        try:
            await writer.drain()
        except ConnectionError:
            return  # what the subgraph answered before it closed says more
    writer.write(b"0\r\n\r\n")
