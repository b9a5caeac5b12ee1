"""A relay before a TCP server, to make that slow or gone while a test runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Relay:
    """Passes bytes on in both directions, until it is told to stall or to be gone.

    Attributes:
        url: address of the relay, in place of the server's.
        passed: pieces that clients have sent.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self.passed = 0

    @property
    def url(self) -> str:
        return urlunsplit(self._target._replace(netloc=f"127.0.0.1:{self._port}"))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone: end every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in tuple(self._writers):
            writer.close()
        self._writers.clear()

    def stall(self) -> None:
        """Pass nothing on; connections stay open."""
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        for source, sink, counts in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._pass_on(source, sink, counts=counts))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counts: bool) -> None:
        try:
            while piece := await source.read(65536):
                self.passed += counts
                await self._open.wait()
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[Relay]:
    """Yield a relay before the server at ``url``."""
    relay = Relay(url)
    await relay.start()
    try:
        yield relay
    finally:
        relay.resume()
        await relay.stop()
