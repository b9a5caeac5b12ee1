"""graphql-transport-ws: subscriptions, queries and mutations over one WebSocket.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md

Each operation runs in its own task, and all write through one socket, whose ``send`` waits while the client does not
read. So a slow client slows its own streams and nothing is piled up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.server.pipeline import Pipeline, error_result
from gateway.server.principal import Identity
from gateway.server.request import GraphQLRequest, RequestContext, read_payload
from gateway.server.streams import SubscriptionCounter

__all__ = ["PROTOCOL", "WsEndpoint"]

PROTOCOL = "graphql-transport-ws"


class WsEndpoint:
    """Serves sockets on the GraphQL path."""

    def __init__(
        self,
        pipeline: Pipeline,
        identity: Identity,
        counter: SubscriptionCounter,
        *,
        propagate: tuple[str, ...] = (),
        max_per_connection: int = 100,
        init_timeout_s: float = 5.0,
        ping_s: float = 12.0,
    ) -> None:
        self.pipeline = pipeline
        self.identity = identity
        self.counter = counter
        self.propagate = tuple(name.lower() for name in propagate)
        self.max_per_connection = max_per_connection
        self.init_timeout_s = init_timeout_s
        self.ping_s = ping_s

    async def __call__(self, socket: WebSocket) -> None:
        """Serve one socket until it closes."""
        if PROTOCOL not in socket.scope.get("subprotocols", ()):
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(PROTOCOL)
        await _Connection(self, socket).serve()


def _too_many() -> RequestError:
    return RequestError(ErrorCode.LIMIT_EXCEEDED, "too many subscriptions are under way; end one first")


class _Close(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Connection:
    def __init__(self, endpoint: WsEndpoint, socket: WebSocket) -> None:
        self._endpoint = endpoint
        self._socket = socket
        self._context: RequestContext | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False

    async def serve(self) -> None:
        pinger: asyncio.Task[None] | None = None
        try:
            await self._shake_hands()
            pinger = asyncio.get_running_loop().create_task(self._ping())
            while True:
                await self._handle(await self._receive())
        except _Close as close:
            self._is_closed = True
            await self._socket.close(close.code, close.reason)
        except WebSocketDisconnect:
            self._is_closed = True
        finally:
            tasks = [*self._running.values(), *([pinger] if pinger else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _shake_hands(self) -> None:
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
            self._context = self._make_context(payload or {})
        except GatewayError as error:
            raise _Close(4403, "Forbidden") from error
        await self._send({"type": "connection_ack"})

    def _make_context(self, payload: Mapping[str, Any]) -> RequestContext:
        headers = {name.lower(): value for name, value in self._socket.headers.items()}
        headers |= {str(name).lower(): value for name, value in payload.items() if isinstance(value, str)}
        passed = tuple((name, headers[name]) for name in self._endpoint.propagate if name in headers)
        return RequestContext(self._endpoint.identity(headers), passed)

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribe":
                self._subscribe(message)
            case "complete":
                task = self._running.pop(str(message.get("id")), None)
                if task is not None:
                    task.cancel()
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "connection_init":
                raise _Close(4429, "Too many initialisation requests")
            case _:
                raise _Close(4400, "Invalid message: unknown type")

    def _subscribe(self, message: dict[str, Any]) -> None:
        identifier = message.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise _Close(4400, "Invalid message: subscribe needs an id")
        if identifier in self._running:
            raise _Close(4409, f"Subscriber for {identifier[:60]} already exists")
        counted = len(self._running) < self._endpoint.max_per_connection and self._endpoint.counter.take()
        run = self._run(identifier, message.get("payload"), is_allowed=counted)
        task = self._running[identifier] = asyncio.get_running_loop().create_task(run)
        if counted:  # a callback, since a task that is cancelled before its first step runs no code of its own
            task.add_done_callback(lambda _: self._endpoint.counter.give_back())

    async def _run(self, identifier: str, payload: Any, *, is_allowed: bool) -> None:
        try:
            if not is_allowed:
                raise _too_many()  # noqa: TRY301 - answered like every other failure of the operation
            await self._stream(identifier, read_payload(payload))
            await self._finish(identifier, {"id": identifier, "type": "complete"})
        except (WebSocketDisconnect, RuntimeError) as error:
            if not self._is_closed and isinstance(error, RuntimeError):
                raise
        except Exception as error:  # noqa: BLE001 - the failure of one operation leaves the others running
            errors = error_result(error).errors
            await self._finish(identifier, {"id": identifier, "type": "error", "payload": errors})
        finally:
            self._forget(identifier)

    async def _stream(self, identifier: str, request: GraphQLRequest) -> None:
        assert self._context is not None  # noqa: S101 - set before the first message is handled
        head = b'{"id":' + orjson.dumps(identifier) + b',"type":"next","payload":'
        results = self._endpoint.pipeline.stream(request, self._context)
        async with aclosing(results):
            async for result in results:
                await self._send_text((head + result.to_bytes() + b"}").decode())

    async def _finish(self, identifier: str, message: dict[str, Any]) -> None:
        """Send the last message of an operation; its id is free again from then on."""
        self._forget(identifier)
        await self._send(message)

    def _forget(self, identifier: str) -> None:
        if self._running.get(identifier) is asyncio.current_task():
            del self._running[identifier]

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._endpoint.ping_s)
            await self._send({"type": "ping"})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        if not self._is_closed:
            await self._socket.send_text(text)

    async def _receive(self) -> dict[str, Any]:
        try:
            message = orjson.loads(await self._socket.receive_text())
        except (orjson.JSONDecodeError, KeyError) as error:
            raise _Close(4400, "Invalid message: not JSON text") from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise _Close(4400, "Invalid message: no type")
        return message
