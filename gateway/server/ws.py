"""Subscriptions, queries and mutations over one WebSocket.

All operations write through one socket, whose ``send`` waits while the client does not read. What waits for a slow
client is bounded per operation; one that stays slow loses its operations, one that does not read at all its connection.
When the token that opened a socket expires, its operations end and then the socket: clients go on with a new token by a
new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.executor import ExecutionResult
from gateway.policies.clients import ClientReader
from gateway.server.expiry import sleep_until_expiry
from gateway.server.heartbeats import LOOKS, Heartbeats
from gateway.server.lean_uvicorn import FRAMES
from gateway.server.operations import Operations
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Identity, client_of, identify
from gateway.server.request import RequestContext, read_payload
from gateway.server.shared_results import Event
from gateway.server.stopping import LAST_WORDS_S, OpenConnections
from gateway.server.streams import StreamLimits, SubscriptionCounter
from gateway.server.ws_dialects import Dialect, choose_dialect
from gateway.server.ws_frames import text_frame

__all__ = ["WsEndpoint"]


class WsEndpoint:
    """Serves sockets on the GraphQL path."""

    def __init__(
        self,
        pipeline: Pipeline,
        identity: Identity,
        counter: SubscriptionCounter,
        connections: OpenConnections,
        *,
        propagate: tuple[str, ...] = (),
        clients: ClientReader | None = None,
        stream_limits: StreamLimits | None = None,
        max_per_connection: int = 100,
        init_timeout_s: float = 5.0,
        tells_headers: bool = False,
    ) -> None:
        self.pipeline = pipeline
        self.identity = identity
        self.counter = counter
        self.connections = connections
        self.propagate = tuple(name.lower() for name in propagate)
        self.clients = clients or ClientReader()
        self.stream_limits = stream_limits or StreamLimits()
        self.max_per_connection = max_per_connection
        self.init_timeout_s = init_timeout_s
        self.tells_headers = tells_headers
        self.heartbeats = Heartbeats(self.stream_limits.heartbeat_s)

    async def __call__(self, socket: WebSocket) -> None:
        """Serve one socket until it closes."""
        dialect = choose_dialect(socket.scope.get("subprotocols", ()))
        if dialect is None:
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(dialect.name)
        await _Connection(self, dialect, socket).serve()


class _Close(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Connection:
    """One socket; the sink of its operations' messages."""

    def __init__(self, endpoint: WsEndpoint, dialect: Dialect, socket: WebSocket) -> None:
        self._endpoint = endpoint
        self._dialect = dialect
        self._socket = socket
        self._limits = endpoint.stream_limits
        self._operations = Operations(endpoint.pipeline, endpoint.counter, self, endpoint.max_per_connection)
        self._takes_frames = FRAMES in socket.scope.get("extensions", ())
        self._is_closed = False
        self._life = asyncio.timeout(None)
        self._looks = 0
        self._beating: asyncio.Task[None] | None = None
        self._expiring: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        slot: int | None = None
        self._endpoint.connections.join(self)
        try:
            async with self._life:
                context = await self._shake_hands()
                slot = self._endpoint.heartbeats.join(self)
                if context.principal.expires_at is not None:
                    expiring = self._leave_at(context.principal.expires_at)
                    self._expiring = asyncio.get_running_loop().create_task(expiring)
                client = client_of(context.principal, context.client.address)
                while True:
                    await self._handle(await self._receive(), context, client)
        except _Close as close:
            self._is_closed = True
            await self._socket.close(close.code, close.reason)
        except (TimeoutError, WebSocketDisconnect):
            pass  # it takes nothing any more, it was closed when its token expired, or it went away
        finally:
            self._is_closed = True
            self._endpoint.connections.forget(self)
            if slot is not None:
                self._endpoint.heartbeats.leave(self, slot)
            tasks = [task for task in (self._expiring, self._leaving, self._beating) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, self._operations.aclose(), return_exceptions=True)

    def _end(self) -> None:
        if self._life.when() is None:
            self._life.reschedule(asyncio.get_running_loop().time())

    async def _shake_hands(self) -> RequestContext:
        try:
            async with asyncio.timeout(self._endpoint.init_timeout_s):
                message = await self._receive()
        except TimeoutError as error:
            raise _Close(4408, "Connection initialisation timeout") from error
        if message["type"] != "connection_init":
            raise _Close(4401, "Unauthorized")
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise _Close(4400, "the payload of connection_init must be an object")
        try:
            context = await self._make_context(payload or {})
        except GatewayError as error:
            if isinstance(error, RequestError) and error.code is ErrorCode.UNAUTHENTICATED:
                self._endpoint.pipeline.turned_away(error, self._endpoint.clients(self._socket.scope))
            if self._dialect.refusal is not None:
                await self._send({"type": self._dialect.refusal, "payload": {"message": error.message}})
            raise _Close(4403, "Forbidden") from error
        await self._send({"type": "connection_ack"})
        if self._dialect.beats_at_once:
            await self._send_text(self._dialect.heartbeat)
        return context

    async def _make_context(self, payload: Mapping[str, Any]) -> RequestContext:
        headers = {name.lower(): value for name, value in self._socket.headers.items()}
        headers |= {str(name).lower(): value for name, value in payload.items() if isinstance(value, str)}
        passed = tuple((name, headers[name]) for name in self._endpoint.propagate if name in headers)
        principal = await identify(self._endpoint.identity, headers)
        came_with = headers if self._endpoint.tells_headers else None
        return RequestContext(principal, passed, self._endpoint.clients(self._socket.scope), came_with=came_with)

    async def _handle(self, message: dict[str, Any], context: RequestContext, client: str) -> None:
        dialect, kind = self._dialect, message["type"]
        if kind == dialect.subscribe:
            if self._leaving is None:  # else its client repeats it by the connection that comes after this one
                self._subscribe(message, context, client)
        elif kind == dialect.stop:
            self._operations.stop(str(message.get("id")))
        elif kind == "connection_init":
            raise _Close(4429, "Too many initialisation requests")
        elif kind == dialect.leave:
            raise _Close(1000, "")
        elif kind == "ping" and dialect.has_ping:
            await self._send({"type": "pong"})
        elif kind != "pong" or not dialect.has_ping:
            raise _Close(4400, "Invalid message: unknown type")

    def _subscribe(self, message: dict[str, Any], context: RequestContext, client: str) -> None:
        identifier = message.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise _Close(4400, f"Invalid message: {self._dialect.subscribe} needs an id")
        if identifier in self._operations:
            if not self._dialect.replaces:
                raise _Close(4409, f"Subscriber for {identifier[:60]} already exists")
            self._operations.stop(identifier)
        self._operations.start(identifier, lambda: read_payload(message.get("payload")), context, client)

    async def next(self, identifier: str, events: Sequence[Event]) -> None:
        """See :class:`gateway.server.operations.Sink`."""
        head = self._dialect.head(identifier)
        texts = [head + event.write(ExecutionResult.to_bytes) + b"}" for event in events]
        if self._takes_frames:
            frames = b"".join(map(text_frame, texts))
            await self._send_message({"type": "websocket.send", FRAMES: frames})
            return
        for text in texts:
            await self._send_text(text.decode())

    async def fail(self, identifier: str, errors: list[dict[str, Any]]) -> None:
        """See :class:`gateway.server.operations.Sink`."""
        for message in self._dialect.failure(identifier, errors):
            await self._send(message)

    async def complete(self, identifier: str) -> None:
        """See :class:`gateway.server.operations.Sink`."""
        await self._send({"id": identifier, "type": "complete"})

    def look(self) -> None:
        """See :class:`gateway.server.heartbeats.Beats`; clients count on these signs whatever else they get."""
        self._looks = (self._looks + 1) % LOOKS
        if self._looks == 0 and self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        await self._send_text(self._dialect.heartbeat)
        self._beating = None

    async def _leave_at(self, expires_at: float) -> None:
        """Close the socket once the token that opened it has expired; each operation is told so before."""
        await sleep_until_expiry(expires_at)
        await self._finish(4403, "Forbidden: the token has expired", self._limits.write_s, self._limits.write_s)

    def leave(self, within_s: float) -> None:
        """See :class:`gateway.server.stopping.Leaves`."""
        if self._leaving is None:
            going = self._finish(1001, "the gateway is stopping; connect again", within_s, LAST_WORDS_S)
            self._leaving = asyncio.get_running_loop().create_task(going)

    async def _finish(self, code: int, reason: str, within_s: float, closing_s: float) -> None:
        """Close the socket once no operation is under way, or the time for them is over."""
        has_said_all = await self._operations.finish(within_s, closing_s)
        self._is_closed = True
        try:
            async with asyncio.timeout(closing_s if has_said_all else 0):  # one that reads takes it at once
                await self._socket.close(code, reason)
        finally:
            self._end()

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        await self._send_message({"type": "websocket.send", "text": text})

    async def _send_message(self, message: dict[str, Any]) -> None:
        if self._is_closed:
            return
        try:
            async with asyncio.timeout(self._limits.write_s):
                await self._socket.send(message)
        except TimeoutError:
            self._end()
        except (WebSocketDisconnect, RuntimeError):
            if not self._is_closed:  # the socket went away between two messages; the receiving side ends everything
                self._is_closed = True

    async def _receive(self) -> dict[str, Any]:
        try:
            message = orjson.loads(await self._socket.receive_text())
        except (orjson.JSONDecodeError, KeyError) as error:
            raise _Close(4400, "Invalid message: not JSON text") from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise _Close(4400, "Invalid message: no type")
        return message
