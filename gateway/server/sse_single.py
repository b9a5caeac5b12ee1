"""Server-sent events for browsers that may only open a few connections: many operations, one stream.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md#single-connection-mode

1. ``PUT`` reserves a stream and answers with its token.
2. ``GET`` with the token opens the stream, once.
3. ``POST`` with the token and ``extensions.operationId`` starts an operation; its results come on the stream.
4. ``DELETE`` with the token and ``?operationId=`` ends one.

A token belongs to the principal that reserved it and to this process: in front of several workers, requests of one
client have to reach the same one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import orjson

from gateway.errors import ErrorCode, RequestError
from gateway.server.http_streams import Receive, Send, wait_for_disconnect
from gateway.server.operations import Operations
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Principal
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.shared_results import Event
from gateway.server.sse import EVENTS, json_line
from gateway.server.stopping import LAST_WORDS_S, OpenConnections
from gateway.server.streams import StreamLimits, SubscriptionCounter

__all__ = ["SharedStreams"]

_TOKEN_BYTES = 24
"""As long as a session's name has to be so that nobody guesses it."""


class SharedStreams:
    """The streams of this process by token."""

    def __init__(
        self,
        pipeline: Pipeline,
        counter: SubscriptionCounter,
        connections: OpenConnections,
        limits: StreamLimits,
        *,
        max_per_connection: int,
        open_within_s: float,
    ) -> None:
        self._pipeline = pipeline
        self._counter = counter
        self._connections = connections
        self._limits = limits
        self._most = max_per_connection
        self._open_within_s = open_within_s
        self._streams: dict[str, _Stream] = {}

    def change(self, limits: StreamLimits, *, max_per_connection: int, open_within_s: float) -> None:
        """Bound streams otherwise that are reserved from now on."""
        self._limits, self._most, self._open_within_s = limits, max_per_connection, open_within_s

    def reserve(self, principal: Principal, client: str) -> str:
        """Return the token of a new stream; it lapses when the stream is not opened soon.

        Raises:
            RequestError: LIMIT_EXCEEDED, the client or the process has too many streams.
        """
        give_back = self._counter.take(client)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        stream = _Stream(self._pipeline, self._counter, self._limits, self._most, principal, client)
        self._streams[token] = stream
        self._connections.join(stream)

        def lapse() -> None:
            if not stream.is_open:
                stream.ended.set()

        async def keep() -> None:
            timer = asyncio.get_running_loop().call_later(self._open_within_s, lapse)
            try:
                await stream.ended.wait()
            finally:
                timer.cancel()
                del self._streams[token]
                self._connections.forget(stream)
                give_back()
                await stream.operations.aclose()

        stream.keeper = asyncio.get_running_loop().create_task(keep())
        return token

    async def open(self, token: str, principal: Principal, receive: Receive, send: Send) -> None:
        """Serve the stream until the client goes away.

        Raises:
            RequestError: no such stream, or it is open already.
        """
        stream = self._find(token, principal)
        if stream.is_open:
            raise RequestError(ErrorCode.BAD_REQUEST, "the stream of this token is open already", http_status=409)
        await stream.serve(receive, send)

    async def start(self, token: str, request: GraphQLRequest, operation_id: Any, context: RequestContext) -> None:
        """Start an operation whose results go to the stream.

        Raises:
            RequestError: no such stream, no id, or an id that is taken.
        """
        stream = self._find(token, context.principal)
        if not isinstance(operation_id, str) or not operation_id:
            raise RequestError(ErrorCode.BAD_REQUEST, "extensions.operationId must name the operation on its stream")
        if operation_id in stream.operations:
            message = f"an operation {operation_id[:60]!r} runs on this stream already"
            raise RequestError(ErrorCode.BAD_REQUEST, message, http_status=409)
        await self._pipeline.open(request, context)
        stream.operations.start(operation_id, lambda: request, context, stream.client)

    def stop(self, token: str, operation_id: str, principal: Principal) -> None:
        """End an operation; one that has ended already is no fault.

        Raises:
            RequestError: no such stream, or no id.
        """
        stream = self._find(token, principal)
        if not operation_id:
            raise RequestError(ErrorCode.BAD_REQUEST, "the parameter operationId is missing")
        stream.operations.stop(operation_id)

    async def aclose(self) -> None:
        """End every stream."""
        streams = list(self._streams.values())
        for stream in streams:
            stream.ended.set()
        await asyncio.gather(*(stream.keeper for stream in streams), return_exceptions=True)

    def _find(self, token: str, principal: Principal) -> _Stream:
        stream = self._streams.get(token)
        if stream is None or stream.principal != principal or stream.ended.is_set():
            message = "no stream has this token; reserve one with PUT, and open it soon"
            raise RequestError(ErrorCode.BAD_REQUEST, message, http_status=404)
        return stream


class _Stream:
    """One stream and the operations on it; the sink of their messages."""

    keeper: asyncio.Task[None]
    """Holds the stream's place until it ends."""

    def __init__(
        self,
        pipeline: Pipeline,
        counter: SubscriptionCounter,
        limits: StreamLimits,
        most: int,
        principal: Principal,
        client: str,
    ) -> None:
        self.principal = principal
        self.client = client
        self.operations = Operations(pipeline, counter, self, most)
        self.ended = asyncio.Event()
        self._limits = limits
        self._opened = asyncio.Event()
        self._send: Send | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client has opened the stream."""
        return self._opened.is_set()

    async def serve(self, receive: Receive, send: Send) -> None:
        """Let the operations write to the client until it goes away."""
        self._send = send
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS.headers})
        self._opened.set()
        await self._write(EVENTS.heartbeat)
        beating = asyncio.get_running_loop().create_task(self._beat())
        gone = asyncio.get_running_loop().create_task(wait_for_disconnect(receive))
        ended = asyncio.get_running_loop().create_task(self.ended.wait())
        try:
            await asyncio.wait({gone, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.ended.set()
            for task in (beating, gone, ended):
                task.cancel()
            await asyncio.gather(beating, gone, ended, self.keeper, return_exceptions=True)

    def leave(self, within_s: float) -> None:
        """See :class:`gateway.server.stopping.Leaves`."""
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave(within_s))

    async def _leave(self, within_s: float) -> None:
        has_said_all = await self.operations.finish(within_s, LAST_WORDS_S)
        try:
            if self._send is not None:
                async with asyncio.timeout(LAST_WORDS_S if has_said_all else 0):  # one that reads takes it at once
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            pass  # the client does not read; its connection is cut
        finally:
            self.ended.set()

    async def next(self, identifier: str, events: Sequence[Event]) -> None:
        """See :class:`gateway.server.operations.Sink`."""
        messages = [self._message(b"next", identifier, event.write(json_line)) for event in events]
        await self._write(b"".join(messages))

    async def fail(self, identifier: str, errors: list[dict[str, Any]]) -> None:
        """See :class:`gateway.server.operations.Sink`."""
        await self._write(self._message(b"next", identifier, orjson.dumps({"errors": errors})))
        await self.complete(identifier)

    async def complete(self, identifier: str) -> None:
        """See :class:`gateway.server.operations.Sink`."""
        await self._write(b'event: complete\ndata: {"id":' + orjson.dumps(identifier) + b"}\n\n")

    @staticmethod
    def _message(event: bytes, identifier: str, payload: bytes) -> bytes:
        data = b'{"id":' + orjson.dumps(identifier) + b',"payload":' + payload + b"}"
        return b"event: " + event + b"\ndata: " + data + b"\n\n"

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._limits.heartbeat_s)
            await self._write(EVENTS.heartbeat)

    async def _write(self, content: bytes) -> None:
        await self._opened.wait()
        assert self._send is not None  # noqa: S101 - set before the stream counts as open
        try:
            async with asyncio.timeout(self._limits.write_s):
                await self._send({"type": "http.response.body", "body": content, "more_body": True})
        except TimeoutError:
            self.ended.set()
