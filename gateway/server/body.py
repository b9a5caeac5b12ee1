"""Read the body of a request, never more of it than allowed."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.errors import RequestError
from gateway.policies.operation_limits import exceeded
from gateway.server.http_streams import Receive

__all__ = ["read_whole"]


async def read_whole(headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int) -> bytes | None:
    """Return the whole body, None when the client went away.

    Raises:
        RequestError: LIMIT_EXCEEDED, the body is larger than ``max_bytes``, as announced or as it came.
    """
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > max_bytes:
            raise _too_large(max_bytes)
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
            if size > max_bytes:
                raise _too_large(max_bytes)
        body = b"".join(chunks)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> RequestError:
    message = f"the request body is larger than {max_bytes} bytes"
    return exceeded("max_request_bytes", message, max_bytes, http_status=413)
