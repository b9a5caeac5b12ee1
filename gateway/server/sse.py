"""Answers as server-sent events: one request, one stream (graphql-sse, distinct connections mode).

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md

A request that cannot start is answered by one event with the errors, since the protocol has no other place for them.
An event of a resumable stream carries its cursor as ``id``, which browsers send back as ``Last-Event-ID``.
"""

from __future__ import annotations

import orjson

from gateway.executor import ExecutionResult
from gateway.server.http_streams import Framing

__all__ = ["EVENTS", "json_line"]


def json_line(result: ExecutionResult) -> bytes:
    """Return a result on one line; the bytes of a subgraph that are passed on may have several."""
    body = result.to_bytes()
    return orjson.dumps(orjson.loads(body)) if b"\n" in body or b"\r" in body else body


def _event(result: ExecutionResult) -> bytes:
    event = b"event: next\ndata: " + json_line(result) + b"\n\n"
    return event if result.cursor is None else b"id: " + _one_line(result.cursor) + b"\n" + event


def _one_line(cursor: str) -> bytes:
    """Return a cursor as the value of a field, which ends at a line break."""
    return cursor.replace("\r", "").replace("\n", "").replace("\0", "").encode()


EVENTS: Framing[ExecutionResult] = Framing(
    content_type=b"text/event-stream; charset=utf-8",
    start=b"",
    heartbeat=b":\n\n",
    end=b"event: complete\ndata:\n\n",
    result=_event,
    fault=_event,
    broken_off=b"",
)
