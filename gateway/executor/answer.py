"""Read what a subgraph sent back: the one place that decides whether it is a GraphQL answer."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import SubgraphResponse

__all__ = ["Answer", "decode_answer", "decode_event"]

Answer = tuple[dict[str, Any] | None, list[dict[str, Any]]]
"""``data`` (None when the subgraph has none) and ``errors`` with object entries only."""


def decode_answer(response: SubgraphResponse, subgraph: str) -> Answer:
    """Return data and errors of a subgraph's response.

    A status of 400 and above is accepted when its body is a GraphQL response, since servers use both.

    Raises:
        SubgraphError: SUBGRAPH_BAD_STATUS or SUBGRAPH_MALFORMED; the message says what was wrong, not what was sent.
    """
    status = response.status
    if status == 200:
        return _decode(response.body, subgraph, status)
    if status < 400:
        what = "answered a redirect, which is not followed" if 300 <= status < 400 else "answered without content"
        raise _bad_status(subgraph, status, what)
    try:
        data, errors = _decode(response.body, subgraph, status)
    except SubgraphError as error:
        raise _bad_status(subgraph, status, "failed") from error
    if not errors:
        raise _bad_status(subgraph, status, "failed")
    return data, errors


def decode_event(body: bytes, subgraph: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]], bool]:
    """Return data and errors of one subscription event, and whether the errors are those of the stream itself.

    Such an event has no ``data``. Servers that always write it say ``null``, with errors that name no field.
    """
    data, errors = _decode(body, subgraph, 200)
    if data is not None:
        return data, errors, False
    is_of_stream = "data" not in orjson.loads(body) or not any(error.get("path") for error in errors)
    return None, errors, is_of_stream


def _decode(body: bytes, subgraph: str, status: int) -> Answer:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "is empty" if not body else "is not JSON"
        raise _malformed(subgraph, status, f"the body {what}") from error
    if answer.__class__ is not dict:
        raise _malformed(subgraph, status, "the body is not an object")
    data = answer.get("data")
    if data is not None and data.__class__ is not dict:
        raise _malformed(subgraph, status, "data is not an object")
    errors = answer.get("errors")
    if not errors:
        if data is None:
            raise _malformed(subgraph, status, "the body has neither data nor errors")
        return data, []
    if errors.__class__ is not list:
        raise _malformed(subgraph, status, "errors is not a list")
    return data, [error if isinstance(error, dict) else {"message": "an error without message"} for error in errors]


def _bad_status(subgraph: str, status: int, what: str) -> SubgraphError:
    return SubgraphError(
        ErrorCode.SUBGRAPH_BAD_STATUS,
        f"subgraph {subgraph} {what} (HTTP status {status})",
        subgraph=subgraph,
        retryable=status >= 500 or status == 429,
        http_status_seen=status,
    )


def _malformed(subgraph: str, status: int, what: str) -> SubgraphError:
    return SubgraphError(
        ErrorCode.SUBGRAPH_MALFORMED,
        f"subgraph {subgraph} sent no GraphQL answer: {what}",
        subgraph=subgraph,
        retryable=False,
        http_status_seen=status,
    )
