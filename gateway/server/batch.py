"""Several requests in one JSON array, answered by an array in the same order."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.policies.operation_limits import exceeded
from gateway.server.failures import error_result
from gateway.server.pipeline import Pipeline
from gateway.server.request import RequestContext, read_payload

__all__ = ["is_batch", "run_batch"]


def is_batch(body: bytes) -> bool:
    """Tell whether a body holds an array."""
    return body.lstrip()[:1] == b"["


async def run_batch(pipeline: Pipeline, body: bytes, context: RequestContext, most: int) -> bytes:
    """Return the answers of all requests of a body; each fails for itself.

    Queries run side by side. A batch with a mutation runs one request after another, in the order of the array.

    Raises:
        RequestError: BAD_REQUEST, the body is no array of requests; LIMIT_EXCEEDED, there are too many in it;
            IDEMPOTENCY_KEY_INVALID, one key came for several mutations.
    """
    try:
        payloads = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(ErrorCode.BAD_REQUEST, f"the body is not valid JSON: {error}") from error
    if not payloads:
        raise RequestError(ErrorCode.BAD_REQUEST, "the batch is empty; send at least one request")
    if len(payloads) > most:
        message = f"the batch has {len(payloads)} requests, at most {most} are accepted; send several batches"
        raise exceeded("max_batch", message, most)
    changes = sum([await _may_change(pipeline, payload, context) for payload in payloads])
    if changes > 1 and context.idempotency_key is not None:
        message = f"Idempotency-Key is the key of one mutation, and the batch has {changes}: send each by itself"
        raise RequestError(ErrorCode.IDEMPOTENCY_KEY_INVALID, message)
    if changes:
        answers = [await _run(pipeline, payload, context) for payload in payloads]
    else:
        answers = list(await asyncio.gather(*(_run(pipeline, payload, context) for payload in payloads)))
    return b"[" + b",".join(answers) + b"]"


async def _may_change(pipeline: Pipeline, payload: Any, context: RequestContext) -> bool:
    try:
        return (await pipeline.open(read_payload(payload), context)).operation.kind == "mutation"
    except GatewayError:
        return False  # it will not run; its own answer says why


async def _run(pipeline: Pipeline, payload: Any, context: RequestContext) -> bytes:
    try:
        request = read_payload(payload)
        result = await pipeline.run(await pipeline.open(request, context), request, context)
    except Exception as error:  # noqa: BLE001 - the failure of one request leaves the others their answers
        return orjson.dumps({"errors": error_result(error).errors})
    return result.to_bytes()
