"""GraphQL over HTTP, written on ASGI itself: routing and request objects would cost more than a small query.

https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import parse_qs

from gateway.config import CsrfSettings
from gateway.encodings import Encoding, choose_encoding
from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.executor import ExecutionResult
from gateway.policies.clients import ClientReader
from gateway.policies.csrf import CsrfPolicy
from gateway.server.batch import is_batch, run_batch
from gateway.server.body import read_whole
from gateway.server.heartbeats import Heartbeats
from gateway.server.http_streams import Receive, Send, serve_refusal, serve_stream
from gateway.server.http_subscription import HttpSubscription
from gateway.server.in_parts import begin
from gateway.server.incremental import incremental_parts, one_part
from gateway.server.multipart import SUBSCRIPTION_PARTS
from gateway.server.negotiate import JSON_KINDS, Accepted, ResponseKind, check_content_type, choose
from gateway.server.packing import packed, unpack_body
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Identity, Principal, client_of
from gateway.server.request import GraphQLRequest, RequestContext, read_body, read_operation_id, read_query_string
from gateway.server.respond import (
    Headers,
    Told,
    freshness_headers,
    refusal,
    refusal_headers,
    respond,
)
from gateway.server.sse import EVENTS
from gateway.server.sse_single import SharedStreams
from gateway.server.stopping import OpenConnections, stopping
from gateway.server.streams import StreamLimits, SubscriptionCounter
from gateway.server.upload import read_upload

__all__ = ["HttpEndpoint", "HttpLimits", "Receive", "Scope", "Send", "request_headers"]

Scope = MutableMapping[str, Any]
T = TypeVar("T")

_FlightKey = tuple[bytes, RequestContext]
_Serving = Coroutine[Any, Any, None]

_TOKEN = b"x-graphql-event-stream-token"
_IDEMPOTENCY_KEY = b"idempotency-key"
_CONTENT_ENCODING = b"content-encoding"
_CONTENT_TYPES = {kind: kind.value.encode() for kind in ResponseKind}


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of requests and answers over HTTP.

    Attributes:
        max_request_bytes: largest body of a request.
        max_batch: requests in one array; 0 accepts no arrays.
        max_upload_bytes: largest body with files; 0 accepts none.
        compress_from_bytes: size from which an answer is compressed, None for never.
        encodings: how answers are compressed, the most liked first.
        compress_subscriptions: compress streams of events, too.
    """

    max_request_bytes: int = 1024 * 1024
    max_batch: int = 0
    compress_from_bytes: int | None = None
    max_upload_bytes: int = 0
    encodings: tuple[Encoding, ...] = ("zstd", "br", "gzip")
    compress_subscriptions: bool = False

    def encoding_of(self, accept_encoding: bytes) -> Encoding | None:
        """Return how an answer is compressed that is large enough, None for as it is."""
        if self.compress_from_bytes is None or not accept_encoding:
            return None
        return choose_encoding(accept_encoding, self.encodings)


class HttpEndpoint:
    """Answers every HTTP request on the GraphQL path."""

    def __init__(
        self,
        pipeline: Pipeline,
        identity: Identity,
        counter: SubscriptionCounter,
        connections: OpenConnections,
        *,
        propagate: tuple[str, ...] = (),
        clients: ClientReader | None = None,
        csrf: CsrfPolicy | None = None,
        limits: HttpLimits | None = None,
        stream_limits: StreamLimits | None = None,
        shared_streams: SharedStreams | None = None,
        share_requests: bool = False,
        reads_keys: bool = True,
        tells_headers: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._identity = identity
        self._counter = counter
        self._connections = connections
        self._propagate = frozenset(name.lower().encode() for name in propagate)
        self._csrf = csrf
        self._clients = clients or ClientReader()
        self._limits = limits or HttpLimits()
        self._stream_limits = stream_limits or StreamLimits()
        self._shared_streams = shared_streams
        self._heartbeats = Heartbeats(self._stream_limits.heartbeat_s)
        self._share = share_requests
        self._reads_keys = reads_keys
        self._tells_headers = tells_headers
        self._flights: dict[_FlightKey, asyncio.Task[Told]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        accept, content_type, encoding, token, passed, key = self._scan(scope)
        accepted = choose(accept)
        kind = accepted.kind if accepted is not None and accepted.kind in JSON_KINDS else ResponseKind.JSON
        more: Headers = ()
        found: tuple[bytes, GraphQLRequest | None] | None = None
        try:
            principal = self._identity(request_headers(scope))
            if not isinstance(principal, Principal):
                principal = await principal
            context = RequestContext(principal, passed, self._clients(scope), key)
            if self._tells_headers:
                context = replace(context, came_with=request_headers(scope))
            if accepted is None:
                raise _not_acceptable(accept)  # noqa: TRY301 - every refusal is written in one place below
            method = scope["method"]
            if method == "POST":
                found = await self._read_post(scope, content_type, receive)
                if found is None:
                    return
                body, request = found
                if token:
                    await self._start_shared(token, body, context, send)
                    return
            elif method == "GET" and not self._opens_shared(scope, token, accepted):
                body = b"?" + scope["query_string"]
                request = await self._read_get(scope, context)
            else:
                await self._serve_shared(scope, token or _parameter(scope, "token"), context, receive, send)
                return
            if request is None and self._is_batch(body) and not accepted.takes_json:
                raise _not_acceptable(accept)  # noqa: TRY301 - as above
            opened = await self._in_time(self._open(scope, accepted, body, request, context, receive, send))
            if isinstance(opened, Coroutine):
                del found, body, request  # a stream is long, and there are thousands of them
                await opened
                return
            status, answer, more = opened
            only = accepted.only_parts
            if only is not None:
                kind, answer = only, one_part(only, answer)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a GraphQL answer
            if isinstance(error, RequestError) and error.code is ErrorCode.UNAUTHENTICATED:
                self._pipeline.turned_away(error, self._clients(scope))
            status, answer = refusal(error, kind)
            more = refusal_headers(error, status)
        limits = self._limits
        is_large = limits.compress_from_bytes is not None and len(answer) >= limits.compress_from_bytes
        packing = limits.encoding_of(encoding) if is_large and encoding else None
        await respond(send, status, _CONTENT_TYPES[kind], answer, encoding=packing, more=more)

    def _scan(self, scope: Scope) -> tuple[str, str, bytes, str, tuple[tuple[str, str], ...], str | None]:
        """Return accept, content type, accepted encodings, token, the headers to pass on, and the key, in one walk."""
        accept = content_type = token = ""
        encoding = b""
        key: str | None = None
        passed: list[tuple[str, str]] = []
        for name, value in scope["headers"]:
            if name == b"accept":
                accept = value.decode("latin-1") if not accept else f"{accept},{value.decode('latin-1')}"
            elif name == b"content-type":
                content_type = value.decode("latin-1")
            elif name == b"accept-encoding":
                encoding = value
            elif name == _TOKEN:
                token = value.decode("latin-1")
            elif name == _IDEMPOTENCY_KEY and self._reads_keys:
                key = value.decode("latin-1") if key is None else f"{key},{value.decode('latin-1')}"
            if name in self._propagate:
                passed.append((name.decode("latin-1"), value.decode("latin-1")))
        return accept, content_type, encoding, token, tuple(passed), key

    async def _read_post(
        self, scope: Scope, content_type: str, receive: Receive
    ) -> tuple[bytes, GraphQLRequest | None] | None:
        """Return the body, or the operation of a body whose files are still to come; None when the client went away."""
        limits = self._limits
        if limits.max_upload_bytes and content_type.lower().startswith("multipart/form-data"):
            return b"", await self._read_upload(scope, content_type, receive)
        check_content_type(content_type)
        body = await read_whole(scope["headers"], receive, limits.max_request_bytes)
        coding = next((value for name, value in scope["headers"] if name == _CONTENT_ENCODING), None)
        if body is not None and coding is not None:
            body = await unpack_body(coding.decode("latin-1"), body, limits.max_request_bytes)
        return None if body is None else (body, None)

    async def _read_upload(self, scope: Scope, content_type: str, receive: Receive) -> GraphQLRequest:
        headers = request_headers(scope)
        (self._csrf or CsrfPolicy(CsrfSettings())).check(headers)  # any web page may send a form
        limits = self._limits
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limits.max_upload_bytes:
            message = f"the upload is larger than {limits.max_upload_bytes} bytes"
            raise RequestError(ErrorCode.UPLOAD_REFUSED, message, http_status=413)
        return await read_upload(content_type, receive, limits.max_request_bytes, limits.max_upload_bytes)

    async def _read_get(self, scope: Scope, context: RequestContext) -> GraphQLRequest:
        if self._csrf is not None:
            self._csrf.check_get(request_headers(scope))
        request = read_query_string(scope["query_string"])
        if (await self._pipeline.open(request, context)).operation.kind == "mutation":
            message = "a mutation is not allowed by GET; use POST"
            raise RequestError(ErrorCode.METHOD_NOT_ALLOWED, message, http_status=405)
        return request

    async def _open(
        self,
        scope: Scope,
        accepted: Accepted,
        body: bytes,
        request: GraphQLRequest | None,
        context: RequestContext,
        receive: Receive,
        send: Send,
    ) -> _Serving | Told:
        if (accepted.stream or accepted.deferred) and not (request is None and self._is_batch(body)):
            request = request or read_body(body)
            opened = await self._open_stream(scope, accepted, request, context, receive, send)
            if opened is not None:
                return opened
        return await self._answer(body, request, context)

    async def _open_stream(
        self,
        scope: Scope,
        accepted: Accepted,
        request: GraphQLRequest,
        context: RequestContext,
        receive: Receive,
        send: Send,
    ) -> _Serving | Told | None:
        """Open an answer in pieces where operation and client allow it; None when one value is the answer.

        That is told when it is known already. What is opened is served by who asked, since what has opened it would
        stay in memory as long as the stream goes on.
        """
        if accepted.kind is not ResponseKind.EVENTS:
            in_parts = accepted.deferred is not None
            prepared = await self._pipeline.open(request, context, in_parts=in_parts)
            if accepted.deferred is not None and prepared.plan.source.deferred:
                answers = await begin(self._pipeline.deliver(request, context))
                if isinstance(answers, ExecutionResult):
                    return _told(answers)
                parts = incremental_parts(accepted.deferred)
                packing = self._limits.encoding_of(_accept_encoding(scope))
                write = send if packing is None else packed(send, packing, is_long=False)
                return serve_stream(answers, parts, receive, write, self._stream_limits)
            if accepted.stream is None or prepared.operation.kind != "subscription":
                return None
        return await self._follow(scope, accepted, request, context, receive, send)

    async def _follow(
        self,
        scope: Scope,
        accepted: Accepted,
        request: GraphQLRequest,
        context: RequestContext,
        receive: Receive,
        send: Send,
    ) -> _Serving:
        give_back = self._counter.take(client_of(context.principal, context.client.address))
        try:
            framing = SUBSCRIPTION_PARTS
            if accepted.stream is ResponseKind.EVENTS:
                framing = EVENTS
                last = request_headers(scope).get("last-event-id")
                request = replace(request, resume_after=last) if last else request
            write = packed(send, "gzip", is_long=True) if self._packs_events(scope) else send
            try:
                prepared = await self._pipeline.open(request, context)
            except GatewayError as error:
                return _counted(serve_refusal(error, framing, write, self._stream_limits), give_back)
            if prepared.operation.kind != "subscription":
                results = self._pipeline.stream(request, context)
                return _counted(serve_stream(results, framing, receive, write, self._stream_limits), give_back)
            answer = HttpSubscription(framing, write, self._stream_limits.write_s, give_back)
            answer.subscription = self._pipeline.subscription(prepared, request, context, answer.wake)
            return answer.serve(receive, self._heartbeats, self._connections)
        except BaseException:
            give_back()
            raise

    def _packs_events(self, scope: Scope) -> bool:
        """Tell whether a stream of events is compressed; only gzip can do it with little memory for each."""
        limits = self._limits
        if not limits.compress_subscriptions or "gzip" not in limits.encodings:
            return False
        return choose_encoding(_accept_encoding(scope), ("gzip",)) is not None

    def _opens_shared(self, scope: Scope, token: str, accepted: Accepted) -> bool:
        if accepted.kind is not ResponseKind.EVENTS or self._shared_streams is None:
            return False
        return bool(token) or b"token=" in scope["query_string"]

    async def _serve_shared(
        self, scope: Scope, token: str, context: RequestContext, receive: Receive, send: Send
    ) -> None:
        """Reserve, open or change a stream that carries several operations."""
        shared, method = self._shared_streams, scope["method"]
        if shared is not None and method == "PUT" and not _has_content(scope):
            name = shared.reserve(context.principal, client_of(context.principal, context.client.address))
            await respond(send, 201, b"text/plain; charset=utf-8", name.encode())
        elif shared is not None and method == "GET":
            await shared.open(token, context.principal, receive, send)
        elif shared is not None and method == "DELETE" and token:
            shared.stop(token, _parameter(scope, "operationId"), context.principal)
            await respond(send, 200, b"text/plain; charset=utf-8", b"")
        else:
            message = f"{method} is not allowed; use POST, or GET for queries"
            raise RequestError(ErrorCode.METHOD_NOT_ALLOWED, message, http_status=405)

    async def _start_shared(self, token: str, body: bytes, context: RequestContext, send: Send) -> None:
        if self._shared_streams is None:
            message = "streams with several operations are switched off; ask with Accept: text/event-stream"
            raise RequestError(ErrorCode.BAD_REQUEST, message)
        await self._shared_streams.start(token, read_body(body), read_operation_id(body), context)
        await respond(send, 202, b"text/plain; charset=utf-8", b"")

    async def _in_time(self, answering: Coroutine[Any, Any, T]) -> T:
        try:
            return await answering
        except asyncio.CancelledError as error:
            if not self._connections.are_leaving:
                raise
            raise stopping() from error  # the server waits no longer

    async def _answer(self, body: bytes, request: GraphQLRequest | None, context: RequestContext) -> Told:
        if request is None and self._is_batch(body):
            return 200, await run_batch(self._pipeline, body, context, self._limits.max_batch), ()
        if not self._share or (request is not None and request.upload is not None):
            return await self._run(request or read_body(body), context)
        key = (body, context)
        flight = self._flights.get(key)
        if flight is None:
            request = request or read_body(body)
            if (await self._pipeline.open(request, context)).operation.kind != "query":
                return await self._run(request, context)
            flight = asyncio.get_running_loop().create_task(self._run(request, context))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _is_batch(self, body: bytes) -> bool:
        return self._limits.max_batch > 0 and is_batch(body)

    def _land(self, key: _FlightKey, flight: asyncio.Task[Told]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # those who wait get it; without any left it must not count as forgotten

    async def _run(self, request: GraphQLRequest, context: RequestContext) -> Told:
        prepared = await self._pipeline.open(request, context)
        return _told(await self._pipeline.run(prepared, request, context))


def _told(result: ExecutionResult) -> Told:
    more = () if result.freshness is None else freshness_headers(result.freshness)
    if result.headers:
        more = (*more, *((name.encode(), value.encode()) for name, value in result.headers))
    return 200, result.to_bytes(), more


async def _counted(serving: _Serving, give_back: Callable[[], None]) -> None:
    try:
        await serving
    finally:
        give_back()


def _accept_encoding(scope: Scope) -> bytes:
    return b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")


def _not_acceptable(accept: str) -> RequestError:
    message = f"Accept is {accept[:100]}; accept application/graphql-response+json or application/json"
    return RequestError(ErrorCode.NOT_ACCEPTABLE, message, http_status=406)


def _parameter(scope: Scope, name: str) -> str:
    """Return a parameter of the query string, empty when it is not there."""
    try:
        found = parse_qs(str(scope["query_string"], "ascii"), max_num_fields=20)
    except ValueError:
        return ""
    return found.get(name, [""])[-1]


def _has_content(scope: Scope) -> bool:
    return any(name == b"content-type" for name, _ in scope["headers"])


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
