"""Subscriptions as ``multipart/mixed;subscriptionSpec=1.0``: each event is a part of one answer.

https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol

The delimiter is written after each part and not before the next one, so that a client can read a part when it comes.
"""

from __future__ import annotations

import orjson

from gateway.executor import ExecutionResult
from gateway.server.http_streams import Framing

__all__ = ["DELIMITER", "PART", "SUBSCRIPTION_PARTS"]

PART = b"\r\ncontent-type: application/json\r\n\r\n"
"""What stands before the JSON of a part."""

DELIMITER = b"\r\n--graphql"


def _part(result: ExecutionResult) -> bytes:
    return PART + b'{"payload":' + result.to_bytes() + b"}" + DELIMITER


def _fault(result: ExecutionResult) -> bytes:
    """Return the part for what ended the stream itself; such errors stand beside the payload."""
    return PART + b'{"payload":null,"errors":' + orjson.dumps(result.errors) + b"}" + DELIMITER


SUBSCRIPTION_PARTS: Framing[ExecutionResult] = Framing(
    content_type=b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    start=DELIMITER,
    heartbeat=PART + b"{}" + DELIMITER,
    end=b"--\r\n",
    result=_part,
    fault=_fault,
)
