"""Write one whole answer: its status, its media type, its bytes, compressed when that is worth it."""

from __future__ import annotations

import asyncio
import zlib
from functools import lru_cache
from math import ceil

import orjson

from gateway.errors import ErrorCode, GatewayError, RequestError, http_status_for
from gateway.server.failures import error_result
from gateway.server.http_streams import Send
from gateway.server.negotiate import ResponseKind, qualities

__all__ = ["JSON_KINDS", "Answer", "Headers", "accepts_gzip", "refusal", "refusal_headers", "respond"]

Answer = tuple[int, bytes]
"""Status and body."""

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case with values."""

JSON_KINDS = (ResponseKind.GRAPHQL, ResponseKind.JSON)
"""Kinds of an answer that is one JSON value."""

_GZIP_LEVEL = 1
"""Answers are written once and read once: a higher level costs more time here than it saves on the way."""

_SMALL_ENOUGH_BYTES = 128 * 1024
"""What is larger is compressed in a thread, so that other requests do not wait for a millisecond or more."""

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
    return status, orjson.dumps({"errors": result.errors})


def refusal_headers(error: Exception, status: int) -> Headers:
    """Return what the headers of a refusal tell: the methods that are allowed, when to try again."""
    if status == 405:
        return ((b"allow", b"GET, POST"),)
    after = error.retry_after_s if isinstance(error, RequestError) else None
    return () if after is None else ((b"retry-after", str(ceil(after)).encode()),)


@lru_cache(maxsize=128)
def accepts_gzip(accept_encoding: bytes) -> bool:
    """Tell whether an ``Accept-Encoding`` header allows gzip."""
    weights = dict(qualities(accept_encoding.decode("latin-1")))
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


async def respond(
    send: Send, status: int, content_type: bytes, body: bytes, *, is_gzip: bool = False, more: Headers = ()
) -> None:
    """Write the answer; ``is_gzip`` compresses it, ``more`` are headers besides those that every answer has."""
    headers = [(b"content-type", content_type), *_FIXED_HEADERS, *more]
    if is_gzip:
        body = _gzip(body) if len(body) <= _SMALL_ENOUGH_BYTES else await asyncio.to_thread(_gzip, body)
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()
