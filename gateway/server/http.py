"""GraphQL over HTTP, written on ASGI itself: routing and request objects would cost more than a small query.

https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from gateway.errors import ErrorCode, GatewayError, RequestError, http_status_for
from gateway.server.negotiate import ResponseKind, check_content_type, choose
from gateway.server.pipeline import Pipeline, error_result
from gateway.server.principal import Identity
from gateway.server.request import GraphQLRequest, RequestContext, read_body, read_query_string
from gateway.server.sse import serve_events
from gateway.server.streams import SubscriptionCounter

__all__ = ["HttpEndpoint", "Receive", "Scope", "Send", "request_headers"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_FlightKey = tuple[bytes, RequestContext]
_Answer = tuple[int, bytes]


class HttpEndpoint:
    """Answers POST and GET on the GraphQL path."""

    def __init__(
        self,
        pipeline: Pipeline,
        identity: Identity,
        counter: SubscriptionCounter,
        *,
        propagate: tuple[str, ...] = (),
        max_request_bytes: int = 1024 * 1024,
        heartbeat_s: float = 12.0,
        share_requests: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._identity = identity
        self._counter = counter
        self._propagate = frozenset(name.lower().encode() for name in propagate)
        self._max_bytes = max_request_bytes
        self._heartbeat_s = heartbeat_s
        self._share = share_requests
        self._flights: dict[_FlightKey, asyncio.Task[_Answer]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        accept = content_type = ""
        passed: list[tuple[str, str]] = []
        for name, value in scope["headers"]:
            if name == b"accept":
                accept = value.decode("latin-1") if not accept else f"{accept},{value.decode('latin-1')}"
            elif name == b"content-type":
                content_type = value.decode("latin-1")
            if name in self._propagate:
                passed.append((name.decode("latin-1"), value.decode("latin-1")))
        kind = choose(accept)
        try:
            context = RequestContext(self._identity(request_headers(scope)), tuple(passed))
            if kind is None or kind is ResponseKind.PAGE:
                raise _not_acceptable(accept)  # noqa: TRY301 - every refusal is written in one place below
            if scope["method"] == "POST":
                check_content_type(content_type)
                body = await self._read(scope, receive)
                if body is None:
                    return
                request: GraphQLRequest | None = None
            else:
                body = b"?" + scope["query_string"]
                request = self._read_get(scope, context)
            if kind is ResponseKind.EVENTS:
                await self._serve_events(request or read_body(body), context, receive, send)
                return
            status, answer = await self._answer(body, request, context)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a GraphQL answer
            kind = kind if kind in _JSON_KINDS else ResponseKind.JSON
            status, answer = _refusal(error, kind)
        await _respond(send, status, kind, answer)

    def _read_get(self, scope: Scope, context: RequestContext) -> GraphQLRequest:
        if scope["method"] != "GET":
            message = f"{scope['method']} is not allowed; use POST, or GET for queries"
            raise RequestError(ErrorCode.METHOD_NOT_ALLOWED, message, http_status=405)
        request = read_query_string(scope["query_string"])
        if self._pipeline.prepare(request, context.principal).operation.kind == "mutation":
            message = "a mutation is not allowed by GET; use POST"
            raise RequestError(ErrorCode.METHOD_NOT_ALLOWED, message, http_status=405)
        return request

    async def _serve_events(
        self, request: GraphQLRequest, context: RequestContext, receive: Receive, send: Send
    ) -> None:
        if not self._counter.take():
            message = "too many subscriptions are under way on this server; try again later"
            raise RequestError(ErrorCode.LIMIT_EXCEEDED, message, http_status=503)
        try:
            await serve_events(self._pipeline.stream(request, context), receive, send, self._heartbeat_s)
        finally:
            self._counter.give_back()

    async def _answer(self, body: bytes, request: GraphQLRequest | None, context: RequestContext) -> _Answer:
        if not self._share:
            return await self._run(request or read_body(body), context)
        key = (body, context)
        flight = self._flights.get(key)
        if flight is None:
            request = request or read_body(body)
            if self._pipeline.prepare(request, context.principal).operation.kind != "query":
                return await self._run(request, context)
            flight = asyncio.get_running_loop().create_task(self._run(request, context))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _land(self, key: _FlightKey, flight: asyncio.Task[_Answer]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # those who wait get it; without any left it must not count as forgotten

    async def _run(self, request: GraphQLRequest, context: RequestContext) -> _Answer:
        prepared = self._pipeline.prepare(request, context.principal)
        result = await self._pipeline.run(prepared, request, context)
        return 200, result.to_bytes()

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the whole body, None when the client went away."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._max_bytes:
                raise self._too_large()
        message = await receive()
        if message["type"] != "http.request":
            return None
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            chunks, size = [body], len(body)
            while message.get("more_body"):
                message = await receive()
                if message["type"] != "http.request":
                    return None
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > self._max_bytes:
                    raise self._too_large()
            body = b"".join(chunks)
        if len(body) > self._max_bytes:
            raise self._too_large()
        return body

    def _too_large(self) -> RequestError:
        message = f"the request body is larger than {self._max_bytes} bytes"
        return RequestError(ErrorCode.LIMIT_EXCEEDED, message, http_status=413)


def _not_acceptable(accept: str) -> RequestError:
    message = f"Accept is {accept[:100]}; accept application/graphql-response+json or application/json"
    return RequestError(ErrorCode.NOT_ACCEPTABLE, message, http_status=406)


_JSON_KINDS = (ResponseKind.GRAPHQL, ResponseKind.JSON)
_DOCUMENT_FAULTS = frozenset(
    {
        ErrorCode.GRAPHQL_PARSE_FAILED,
        ErrorCode.GRAPHQL_VALIDATION_FAILED,
        ErrorCode.OPERATION_RESOLUTION_FAILED,
        ErrorCode.BAD_USER_INPUT,
    }
)
"""Faults of a well-formed request: ``application/json`` reports them with 200, as its older clients expect."""


def _refusal(error: Exception, kind: ResponseKind) -> _Answer:
    result = error_result(error)
    if isinstance(error, RequestError):
        status = 200 if kind is ResponseKind.JSON and error.code in _DOCUMENT_FAULTS else error.http_status
    elif isinstance(error, GatewayError):
        status = http_status_for([error.code])
    else:
        status = 500
    return status, orjson.dumps({"errors": result.errors})


async def _respond(send: Send, status: int, kind: ResponseKind, body: bytes) -> None:
    headers = [
        (b"content-type", kind.value.encode()),
        (b"content-length", str(len(body)).encode()),
        *_FIXED_HEADERS,
    ]
    if status == 405:
        headers.append((b"allow", b"GET, POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_FIXED_HEADERS = ((b"vary", b"Accept"), (b"x-content-type-options", b"nosniff"))


class _Headers(Mapping[str, str]):
    """The headers of a scope, decoded only when an identity looks at them."""

    def __init__(self, scope: Scope) -> None:
        self._raw = scope["headers"]

    def __getitem__(self, name: str) -> str:
        wanted = name.encode("latin-1")
        for key, value in self._raw:
            if key == wanted:
                return str(value.decode("latin-1"))
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter({key.decode("latin-1") for key, _ in self._raw})

    def __len__(self) -> int:
        return len({key for key, _ in self._raw})


def request_headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers of a request by lower-case name; the first of several wins."""
    return _Headers(scope)
