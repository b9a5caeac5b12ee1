"""Bodies of requests to an ERP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from sandbox.erp_book.codes import ErpError
from sandbox.kit.rest import Refusal

__all__ = ["read_body"]

MAX_BODY_BYTES = 4 * 1024 * 1024


async def read_body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object in a request's body, with numbers digit by digit; empty without a body.

    Raises:
        Refusal: it is something else or too large.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise Refusal(413, ErpError.TOO_LARGE, f"The request is larger than {MAX_BODY_BYTES} bytes")
    if not raw:
        return {}
    try:
        body = json.loads(raw, parse_float=Decimal)
        if b"\\u" in raw:
            # Half of a surrogate pair can be written as an escape and cannot be kept: this raises a ValueError then.
            json.dumps(body, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal(400, ErpError.BAD_REQUEST, "The body is not valid JSON") from error
    if not isinstance(body, dict):
        raise Refusal(400, ErpError.BAD_REQUEST, "The body must be a JSON object")
    return body
