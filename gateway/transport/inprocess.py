"""A subgraph in this process: its ASGI application is called without sockets.

Requests take the HTTP scope. Subscriptions take the WebSocket scope and speak graphql-transport-ws over two bounded
queues, so that the application runs the same code as behind a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from gateway.transport.limits import TransportLimits
from gateway.transport.ws_messages import StreamFault, WsConversation

__all__ = ["AsgiApp", "InProcessTransport"]

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class InProcessTransport:
    """Calls an ASGI application. The application's lifespan is the owner's business."""

    def __init__(
        self, subgraph: str, app: AsgiApp, limits: TransportLimits | None = None, url: str = "http://inprocess/graphql"
    ) -> None:
        self._subgraph = subgraph
        self._app = app
        self._limits = limits or TransportLimits()
        address = urlsplit(url)
        self._host = (address.hostname or "inprocess").encode()
        self._path = address.path or "/"
        self._slots = asyncio.Semaphore(self._limits.max_connections)

    def _scope(self, kind: str, scheme: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": scheme,
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", self._host), *headers],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
            "state": {},
        }

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        timeout = self._limits.timeout_s
        if request.timeout_s is not None:
            timeout = min(timeout, request.timeout_s)
        upload = request.upload
        if upload is None:
            exchange = _Exchange(request.body, self._limits.max_body_bytes)
            content = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(request.body))]
        else:
            pieces = upload.take(self._subgraph, request.body)
            exchange = _Exchange(b"", self._limits.max_body_bytes, pieces)
            content = [(b"content-type", upload.content_type.encode("latin-1"))]
        headers = [*content, (b"accept", b"application/json"), *_encode(request)]
        scope = {**self._scope("http", "http", headers), "method": "POST"}
        try:
            async with asyncio.timeout(timeout), self._slots:
                await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError as error:
            message = f"subgraph {self._subgraph} did not answer in time"
            raise SubgraphError(ErrorCode.SUBGRAPH_TIMEOUT, message, subgraph=self._subgraph) from error
        except Exception as error:  # the application is the far side: whatever it raises is its failure
            fault = None if upload is None else upload.fault(self._subgraph)
            if fault is not None:
                raise fault from error
            if not exchange.is_complete and not exchange.is_too_large:
                raise self._failed("its application raised an error") from error
        if exchange.is_too_large:
            message = f"subgraph {self._subgraph} answered more than {self._limits.max_body_bytes} bytes"
            raise SubgraphError(ErrorCode.SUBGRAPH_TOO_LARGE, message, subgraph=self._subgraph, retryable=False)
        if exchange.status is None:
            raise self._failed("its application did not answer")
        return SubgraphResponse(
            exchange.status,
            exchange.content_type,
            b"".join(exchange.chunks),
            cache_control=", ".join(exchange.cache_control),
            age=exchange.age,
        )

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        socket = _Socket(self._limits.max_waiting_events)
        scope = {
            **self._scope("websocket", "ws", _encode(request)),
            "subprotocols": ["graphql-transport-ws"],
        }
        task = asyncio.get_running_loop().create_task(self._serve(scope, socket))
        conversation = WsConversation(socket.send_text, request)
        has_begun = False
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                await socket.accepted()
                await conversation.start(socket.receive_text)
            has_begun = True
            async for event in conversation.events(socket.receive_text):
                yield event
        except TimeoutError as error:
            raise self._failed("it did not start the subscription in time") from error
        except StreamFault as fault:
            raise self._failed(str(fault), has_begun=has_begun) from fault
        finally:
            socket.disconnect()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _serve(self, scope: dict[str, Any], socket: _Socket) -> None:
        try:
            await self._app(scope, socket.receive, socket.send)
        finally:
            socket.end()

    def _failed(self, what: str, *, has_begun: bool = False) -> SubgraphError:
        message = f"subgraph {self._subgraph} failed: {what}"
        kind = StreamBroken if has_begun else SubgraphError
        return kind(ErrorCode.SUBGRAPH_UNAVAILABLE, message, subgraph=self._subgraph)

    async def aclose(self) -> None:
        """Nothing is held between requests."""


def _encode(request: SubgraphRequest) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]


class _TooLarge(Exception):
    """Stops an application that goes on writing."""


class _Exchange:
    """Both ends of one HTTP request."""

    def __init__(self, body: bytes, max_bytes: int, pieces: AsyncGenerator[bytes, None] | None = None) -> None:
        self._body: bytes | None = body
        self._pieces = pieces
        self._left = max_bytes
        self._gone = asyncio.Event()
        self.status: int | None = None
        self.content_type = ""
        self.cache_control: list[str] = []
        self.age = ""
        self.chunks: list[bytes] = []
        self.is_complete = False
        self.is_too_large = False

    async def receive(self) -> Message:
        if self._pieces is not None:
            piece = await anext(self._pieces, None)
            if piece is not None:
                return {"type": "http.request", "body": piece, "more_body": True}
            self._pieces = None
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            for name, value in message.get("headers", ()):
                match name.lower():
                    case b"content-type":
                        self.content_type = value.decode("latin-1")
                    case b"cache-control":
                        self.cache_control.append(value.decode("latin-1"))
                    case b"age":
                        self.age = value.decode("latin-1")
        elif message["type"] == "http.response.body":
            chunk = bytes(message.get("body", b""))
            self._left -= len(chunk)
            if self._left < 0:
                self.is_too_large = True
                raise _TooLarge
            self.chunks.append(chunk)
            if not message.get("more_body", False):
                self.is_complete = True
                self._gone.set()


class _Socket:
    """Both ends of one WebSocket; the queue towards the gateway is bounded and makes the application wait."""

    def __init__(self, max_waiting: int) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue(maxsize=8)
        self._to_gateway: asyncio.Queue[str | None] = asyncio.Queue(maxsize=max_waiting)
        self._accepted = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._to_app.put_nowait({"type": "websocket.connect"})

    async def accepted(self) -> None:
        await self._accepted

    async def send_text(self, text: str) -> None:
        await self._to_app.put({"type": "websocket.receive", "text": text})

    async def receive_text(self) -> str:
        if not self._to_gateway.empty():
            return self._take(self._to_gateway.get_nowait())
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(self._to_gateway.get())
        ended = loop.create_task(self._ended.wait())
        try:
            await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return self._take(waiting.result())
            return self._take(None)
        finally:
            waiting.cancel()
            ended.cancel()

    def _take(self, text: str | None) -> str:
        if text is None:
            raise StreamFault("its application closed the connection")
        return text

    async def receive(self) -> Message:
        return await self._to_app.get()

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                if not self._accepted.done():
                    self._accepted.set_result(None)
            case "websocket.send":
                text = message.get("text")
                await self._to_gateway.put(text if text is not None else bytes(message["bytes"]).decode())
            case "websocket.close":
                self.end()

    def disconnect(self) -> None:
        if not self._to_app.full():
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})

    def end(self) -> None:
        if not self._accepted.done():
            self._accepted.set_exception(StreamFault("its application refused the connection"))
            self._accepted.exception()
        self._ended.set()
