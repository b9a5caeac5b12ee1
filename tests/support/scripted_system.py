"""A vendor system that answers byte for byte what a test tells it, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """One answer. ``stall`` sends the head and half of the body, then nothing; ``drop`` closes without a word."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stall: bool = False
    drop: bool = False


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedSystem:
    """Gives its replies in order, the last one again and again; remembers what it was asked."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies)
        self.requests: list[Request] = []
        self.url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        self.requests.append(Request(method, path, headers, body))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if reply.drop:
            return False
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        writer.write(
            f"HTTP/1.1 {reply.status} Scripted\r\ncontent-type: {reply.content_type}\r\n"
            f"content-length: {len(reply.body)}\r\n{extra}\r\n".encode()
        )
        writer.write(reply.body[: len(reply.body) // 2] if reply.stall else reply.body)
        await writer.drain()
        if reply.stall:
            await reader.read()  # until the client gives up
            return False
        return True


@asynccontextmanager
async def scripted(*replies: Reply) -> AsyncIterator[ScriptedSystem]:
    """Serve the replies on a free port of the loopback."""
    system = ScriptedSystem(replies)
    server = await asyncio.start_server(system._serve, "127.0.0.1", 0)
    system.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield system
    finally:
        server.close()
