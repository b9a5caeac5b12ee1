"""What a client is told of a failure before or outside execution."""

from __future__ import annotations

import logging
from typing import Any

from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.executor import ExecutionResult
from gateway.tracing import correlation_id

__all__ = ["StreamEnded", "error_result"]

_log = logging.getLogger("gateway")


class StreamEnded(Exception):
    """A subscription did not start, or is over before its time; ``result`` is what its client is told."""

    def __init__(self, result: ExecutionResult) -> None:
        super().__init__("the subscription is over")
        self.result = result


def error_result(error: Exception) -> ExecutionResult:
    """Return the answer for a failure before or outside execution.

    A fault of the client is shown as it is. Anything else is logged with its trace under an id, and the client gets
    the id.
    """
    if isinstance(error, StreamEnded):
        return error.result
    if isinstance(error, RequestError) and error.errors:
        return _fault(*(_with_code(dict(item.formatted), error.code) for item in error.errors))
    if isinstance(error, GatewayError) and error.shown:
        extensions: dict[str, Any] = {**error.extensions, "code": str(error.code)}
        if error.retryable:
            extensions["retryable"] = True
        return _fault({"message": error.message, "extensions": extensions})
    identifier = correlation_id()
    _log.error("internal error %s", identifier, exc_info=error)
    message = f"the gateway failed to answer; its log has the reason under {identifier}"
    code = str(ErrorCode.INTERNAL_ERROR)
    return _fault({"message": message, "extensions": {"code": code, "correlationId": identifier}})


def _fault(*errors: dict[str, Any]) -> ExecutionResult:
    return ExecutionResult(None, list(errors), is_fault=True)


def _with_code(error: dict[str, Any], code: ErrorCode) -> dict[str, Any]:
    extensions = {**error.get("extensions", {}), "code": str(code)}
    return {**error, "extensions": extensions}
