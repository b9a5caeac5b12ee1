"""Failures as GraphQL errors: what the caller may know is said, everything else is logged and masked.

==================  =======================================================  =========================================
failure             message                                                  extensions
==================  =======================================================  =========================================
GraphError          its own                                                  ``code``
ConnectorError      its own: system, operation, what happened                ``code``, ``system``, ``retryable``
before execution    what is wrong with the document or a variable            ``code: BAD_USER_INPUT``
anything else       "the subgraph failed" with an id that is in the log      ``code: INTERNAL_ERROR``, ``errorId``
==================  =======================================================  =========================================
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import strawberry.federation
import structlog
from graphql import GraphQLError, VariableDefinitionNode
from strawberry.types.execution import ExecutionContext

from schema.graphql.errors import GraphError
from systems.errors import ConnectorError

__all__ = ["SubgraphSchema", "cause_of"]

_log = structlog.get_logger("crossdock.subgraph")


class SubgraphSchema(strawberry.federation.Schema):
    """A strawberry schema whose errors say what the table above says."""

    def process_errors(self, errors: Sequence[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Rewrite errors in place before they are sent."""
        del execution_context
        for error in errors:
            _rewrite(error)


def _rewrite(error: GraphQLError) -> None:
    cause = cause_of(error)
    if isinstance(cause, ConnectorError):
        error.extensions = system_failure(cause)
    elif isinstance(cause, GraphError):
        error.extensions = cause.extensions
    elif cause is None or isinstance(cause, GraphQLError) or _is_about_variables(error):
        error.extensions = {"code": "BAD_USER_INPUT", **(error.extensions or {})}
    else:
        _mask(error, cause)


def system_failure(cause: ConnectorError) -> dict[str, Any]:
    """Return what clients are told of a system that failed, and note it."""
    _log.warning("system failed", system=cause.system, operation=cause.operation, error=str(cause))
    return {"code": cause.code, "system": cause.system, "retryable": cause.retryable}


def cause_of(error: GraphQLError) -> BaseException | None:
    """Return what was raised behind layers of GraphQL errors."""
    cause: Any = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause  # type: ignore[no-any-return]


def _is_about_variables(error: GraphQLError) -> bool:
    return bool(error.nodes) and isinstance(error.nodes[0], VariableDefinitionNode)  # type: ignore[index]


def _mask(error: GraphQLError, cause: BaseException) -> None:
    error_id = uuid.uuid4().hex
    _log.error("subgraph failed", error_id=error_id, path=error.path, exc_info=cause)
    error.message = f"the subgraph failed; the log has more under {error_id}"
    error.extensions = {"code": "INTERNAL_ERROR", "errorId": error_id}
