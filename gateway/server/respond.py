"""Write one whole answer: its status, its media type, its bytes, compressed when that is worth it."""

from __future__ import annotations

from math import ceil

from gateway.encodings import Encoding
from gateway.errors import ErrorCode, GatewayError, RequestError, http_status_for
from gateway.executor.result import Freshness
from gateway.server.failures import error_result
from gateway.server.http_streams import Send
from gateway.server.negotiate import ResponseKind
from gateway.server.packing import CODINGS, pack_body

__all__ = [
    "Answer",
    "Headers",
    "Told",
    "freshness_headers",
    "refusal",
    "refusal_headers",
    "respond",
]

Answer = tuple[int, bytes]
"""Status and body."""

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case with values."""

Told = tuple[int, bytes, Headers]
"""Status, body, and what headers tell besides."""

_DOCUMENT_FAULTS = frozenset(
    {
        ErrorCode.GRAPHQL_PARSE_FAILED,
        ErrorCode.GRAPHQL_VALIDATION_FAILED,
        ErrorCode.OPERATION_RESOLUTION_FAILED,
        ErrorCode.BAD_USER_INPUT,
        ErrorCode.PERSISTED_QUERY_NOT_FOUND,
        ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED,
    }
)
"""Faults of a well-formed request: ``application/json`` reports them with 200, as its older clients expect."""

_FIXED_HEADERS = ((b"vary", b"Accept, Accept-Encoding"), (b"x-content-type-options", b"nosniff"))


def refusal(error: Exception, kind: ResponseKind) -> Answer:
    """Return the answer for a request that failed before it ran."""
    result = error_result(error)
    if isinstance(error, RequestError):
        status = 200 if kind is ResponseKind.JSON and error.code in _DOCUMENT_FAULTS else error.http_status
    elif isinstance(error, GatewayError):
        status = http_status_for([error.code])
    else:
        status = 500
    return status, result.to_bytes()


def refusal_headers(error: Exception, status: int) -> Headers:
    """Return what the headers of a refusal tell: methods, credentials and codings that are taken, when to try again."""
    if status == 405:
        return ((b"allow", b"GET, POST"),)
    if status == 401:
        return ((b"www-authenticate", b"Bearer"),)
    if not isinstance(error, RequestError):
        return ()
    if CODINGS in error.extensions:
        return ((b"accept-encoding", ", ".join(error.extensions[CODINGS]).encode()),)
    after = error.retry_after_s
    return () if after is None else ((b"retry-after", str(ceil(after)).encode()),)


def freshness_headers(freshness: Freshness) -> Headers:
    """Return the headers that tell how an answer may be used."""
    age = ((b"age", str(freshness.age_s).encode()),) if freshness.age_s else ()
    vary = ((b"vary", freshness.vary.encode()),) if freshness.vary else ()
    return ((b"cache-control", freshness.cache_control.encode()), *age, *vary)


async def respond(
    send: Send, status: int, content_type: bytes, body: bytes, *, encoding: Encoding | None = None, more: Headers = ()
) -> None:
    """Write the answer; ``encoding`` compresses it, ``more`` are headers besides those that every answer has."""
    headers = [(b"content-type", content_type), *_FIXED_HEADERS, *more]
    if encoding is not None:
        body = await pack_body(encoding, body)
        headers.append((b"content-encoding", encoding.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
