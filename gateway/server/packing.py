"""Compress answers for clients that take it, whole or piece by piece, and unpack what they send compressed."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from gateway.encodings import CorruptBody, Encoding, Packer, pack, packer, read_encoding, unpack
from gateway.errors import ErrorCode, RequestError
from gateway.policies.operation_limits import exceeded
from gateway.server.http_streams import Send

__all__ = ["CODINGS", "pack_body", "packed", "unpack_body"]

CODINGS = "acceptEncoding"
"""Extension of a refusal that tells which codings a request may have."""

_SMALL_ENOUGH_BYTES = 128 * 1024
"""What is larger is packed in a thread, so that other requests do not wait for a millisecond or more."""


async def pack_body(encoding: Encoding, body: bytes) -> bytes:
    """Return a whole body packed."""
    if len(body) <= _SMALL_ENOUGH_BYTES:
        return pack(encoding, body)
    return await asyncio.to_thread(pack, encoding, body)


async def unpack_body(content_encoding: str, body: bytes, max_bytes: int) -> bytes:
    """Return what a request's body says.

    Raises:
        RequestError: UNSUPPORTED_MEDIA_TYPE, a coding that is not taken; LIMIT_EXCEEDED, more than ``max_bytes`` come
            out; BAD_REQUEST, it is not of the coding that it names.
    """
    try:
        encoding = read_encoding(content_encoding)
    except ValueError as error:
        message = f"Content-Encoding is {content_encoding[:50]}; send gzip, br, zstd or none"
        extensions = {CODINGS: ["gzip", "br", "zstd"]}
        raise RequestError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, message, http_status=415, extensions=extensions) from error
    if encoding is None:
        return body
    try:
        if len(body) <= _SMALL_ENOUGH_BYTES:
            return unpack(encoding, body, max_bytes)
        return await asyncio.to_thread(unpack, encoding, body, max_bytes)
    except OverflowError as error:
        message = f"the request body is larger than {max_bytes} bytes once it is unpacked"
        raise exceeded("max_request_bytes", message, max_bytes, http_status=413) from error
    except CorruptBody as error:
        raise RequestError(ErrorCode.BAD_REQUEST, f"{error}; Content-Encoding says so", http_status=400) from error


def packed(send: Send, encoding: Encoding, *, is_long: bool) -> Send:
    """Return what sends an answer piece by piece, each packed so that the client can read it at once."""
    packing: Packer = packer(encoding, is_long=is_long)

    async def send_packed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"content-encoding", encoding.encode())]}
        elif message["type"] == "http.response.body":
            piece = packing.write(message["body"]) if message["body"] else b""
            message = {**message, "body": piece if message.get("more_body") else piece + packing.end()}
        await send(message)

    return send_packed
