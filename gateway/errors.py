"""What can go wrong in the gateway, one class per kind, one stable code per case.

::

    GatewayError
    ├── ConfigError            a setting is wrong; fails at start-up
    ├── CompositionError       subgraphs do not compose; carries every diagnostic
    ├── SupergraphError        a supergraph document cannot be served
    ├── RequestError           the client's request is at fault; text is shown as is
    ├── PlanningError          a valid operation that no plan answers, or a spent budget
    ├── SubgraphError          a subgraph failed to answer; costs the fields that needed it
    │   └── StreamBroken       a subscription broke off after it had begun
    ├── ExtensionError         code of the operator's own failed in a hook; masked for the client
    └── InternalError          a bug: logged with its trace, masked for the client

Codes travel in ``extensions.code`` and are a wire contract: they are added, never renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from graphql import GraphQLError

__all__ = [
    "CompositionError",
    "ConfigError",
    "ErrorCode",
    "ExtensionError",
    "GatewayError",
    "InternalError",
    "PlanningError",
    "RequestError",
    "StreamBroken",
    "SubgraphError",
    "SupergraphError",
    "http_status_for",
]


class ErrorCode(StrEnum):
    """Stable wire codes; each has a page in ``docs/errors``."""

    CONFIG_INVALID = "CONFIG_INVALID"
    COMPOSITION_FAILED = "COMPOSITION_FAILED"
    SUPERGRAPH_INVALID = "SUPERGRAPH_INVALID"
    SUPERGRAPH_FEATURE_UNSUPPORTED = "SUPERGRAPH_FEATURE_UNSUPPORTED"
    BAD_REQUEST = "BAD_REQUEST"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILED = "OPERATION_RESOLUTION_FAILED"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    IDEMPOTENCY_KEY_INVALID = "IDEMPOTENCY_KEY_INVALID"
    IDEMPOTENCY_KEY_MISMATCH = "IDEMPOTENCY_KEY_MISMATCH"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_KEY_IN_USE = "IDEMPOTENCY_KEY_IN_USE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    CSRF_PREVENTED = "CSRF_PREVENTED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    PERSISTED_QUERY_MISMATCH = "PERSISTED_QUERY_MISMATCH"
    PERSISTED_DOCUMENT_REQUIRED = "PERSISTED_DOCUMENT_REQUIRED"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    COST_EXCEEDED = "COST_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    IDENTITY_UNAVAILABLE = "IDENTITY_UNAVAILABLE"
    UNAUTHORIZED_FIELD_OR_TYPE = "UNAUTHORIZED_FIELD_OR_TYPE"
    NO_PATH = "NO_PATH"
    REQUIREMENT_CYCLE = "REQUIREMENT_CYCLE"
    PLAN_BUDGET_EXCEEDED = "PLAN_BUDGET_EXCEEDED"
    SUBGRAPH_UNAVAILABLE = "SUBGRAPH_UNAVAILABLE"
    SUBGRAPH_TIMEOUT = "SUBGRAPH_TIMEOUT"
    SUBGRAPH_BAD_STATUS = "SUBGRAPH_BAD_STATUS"
    SUBGRAPH_MALFORMED = "SUBGRAPH_MALFORMED"
    SUBGRAPH_TOO_LARGE = "SUBGRAPH_TOO_LARGE"
    SUBGRAPH_ERROR = "SUBGRAPH_ERROR"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    SUBSCRIPTION_ENDED = "SUBSCRIPTION_ENDED"
    SLOW_CLIENT = "SLOW_CLIENT"
    STOPPING = "STOPPING"
    UPLOAD_REFUSED = "UPLOAD_REFUSED"
    GAP = "GAP"
    INVALID_RESULT = "INVALID_RESULT"
    EXTENSION_REFUSED = "EXTENSION_REFUSED"
    EXTENSION_FAILED = "EXTENSION_FAILED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


_STATUS_BY_PRIORITY: tuple[tuple[ErrorCode, int], ...] = (
    (ErrorCode.INTERNAL_ERROR, 500),
    (ErrorCode.EXTENSION_FAILED, 500),
    (ErrorCode.PLAN_BUDGET_EXCEEDED, 500),
    (ErrorCode.NO_PATH, 500),
    (ErrorCode.REQUIREMENT_CYCLE, 500),
    (ErrorCode.UNAUTHENTICATED, 401),
    (ErrorCode.METHOD_NOT_ALLOWED, 405),
    (ErrorCode.NOT_ACCEPTABLE, 406),
    (ErrorCode.UNSUPPORTED_MEDIA_TYPE, 415),
    (ErrorCode.LIMIT_EXCEEDED, 400),
)


class GatewayError(Exception):
    """Root of the gateway's exceptions.

    Attributes:
        code: stable wire code.
        http_status: status that a response carrying only this error gets.
        retryable: whether the same request can succeed without being changed.
        shown: True when the message may reach a client as is; otherwise it is masked.
        extensions: what else a client is told beside the code.
    """

    http_status = 500
    retryable = False
    shown = True
    extensions: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ConfigError(GatewayError):
    """A setting is missing, unknown or of the wrong form; the message names the key and what is accepted."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.CONFIG_INVALID, message)


class CompositionError(GatewayError):
    """The subgraphs do not compose; ``problems`` holds one line per diagnostic, all of them."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(ErrorCode.COMPOSITION_FAILED, f"the subgraphs do not compose:\n{listed}")


class SupergraphError(GatewayError):
    """A supergraph document is malformed or links a feature that must not be ignored."""

    def __init__(self, message: str, code: ErrorCode = ErrorCode.SUPERGRAPH_INVALID) -> None:
        super().__init__(code, message)


class RequestError(GatewayError):
    """The client's request is at fault; nothing was sent to any subgraph.

    Attributes:
        errors: every fault with its location where the document is at fault, else empty.
        retry_after_s: seconds after which the same request may succeed, None when time does not change the answer.
    """

    http_status = 400

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        http_status: int = 400,
        errors: tuple[GraphQLError, ...] = (),
        extensions: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, message)
        self.http_status = http_status
        self.errors = errors
        self.extensions = extensions or {}
        self.retry_after_s = retry_after_s
        self.retryable = retry_after_s is not None


class PlanningError(GatewayError):
    """No plan answers the operation (``NO_PATH``, ``REQUIREMENT_CYCLE``) or the search budget is spent."""


class SubgraphError(GatewayError):
    """A subgraph gave no usable answer to one fetch.

    Attributes:
        subgraph: name of the subgraph.
        system: what the subgraph said is behind it, None when it said nothing.
        http_status_seen: status that the subgraph answered, None when there was no answer.
    """

    http_status = 200
    retryable = True

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        subgraph: str,
        retryable: bool = True,
        http_status_seen: int | None = None,
    ) -> None:
        super().__init__(code, message)
        self.subgraph = subgraph
        self.retryable = retryable
        self.http_status_seen = http_status_seen


class StreamBroken(SubgraphError):
    """A subscription broke off after the subgraph had accepted it, so that events may have been on their way."""


class ExtensionError(GatewayError):
    """A hook of an extension failed; the log has the reason under the id that the client is told."""

    def __init__(self, identifier: str) -> None:
        message = f"an extension of the gateway failed; its log has the reason under {identifier}"
        super().__init__(ErrorCode.EXTENSION_FAILED, message)
        self.extensions = {"correlationId": identifier}


class InternalError(GatewayError):
    """A broken invariant of ours; the message names it and is never shown to clients."""

    shown = False

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INTERNAL_ERROR, message)


def http_status_for(codes: Iterable[ErrorCode]) -> int:
    """Return the HTTP status of a response that carries errors with these codes and no data.

    The first match in a fixed priority decides, so that the same set of errors always gives the same status.

    Returns:
        A status; 400 for client faults without an entry of their own, 200 when ``codes`` is empty.
    """
    seen = set(codes)
    for code, status in _STATUS_BY_PRIORITY:
        if code in seen:
            return status
    return 400 if seen else 200
