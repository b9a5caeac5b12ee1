"""A GraphQL request as it comes out of HTTP, and the ways to read one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson

from gateway.errors import ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Principal

__all__ = ["GraphQLRequest", "RequestContext", "read_body", "read_payload", "read_query_string"]


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation to run."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asks and what is passed on to subgraphs (lower-case header names with values)."""

    principal: Principal = ANONYMOUS
    headers: tuple[tuple[str, str], ...] = field(default=())


def read_body(body: bytes) -> GraphQLRequest:
    """Read the JSON body of a POST.

    Raises:
        RequestError: BAD_REQUEST naming what is wrong with it.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad(f"the body is not valid JSON: {error}") from error
    return read_payload(payload)


def read_payload(payload: Any) -> GraphQLRequest:
    """Read the members of a request that was decoded already.

    Raises:
        RequestError: BAD_REQUEST naming the member and what it must be.
    """
    if payload.__class__ is not dict:
        kind = "a batch of requests is not accepted; send one object" if isinstance(payload, list) else "send an object"
        raise _bad(f"the body must be a JSON object with the member query: {kind}")
    query = payload.get("query")
    if query.__class__ is not str:
        raise _bad("query must be a string with the text of the operation")
    variables = payload.get("variables")
    if variables is not None and variables.__class__ is not dict:
        raise _bad("variables must be an object")
    name = payload.get("operationName")
    if name is not None and name.__class__ is not str:
        raise _bad("operationName must be a string")
    extensions = payload.get("extensions")
    if extensions is not None and extensions.__class__ is not dict:
        raise _bad("extensions must be an object")
    return GraphQLRequest(query, variables, name or None)


def read_query_string(query_string: bytes) -> GraphQLRequest:
    """Read the parameters of a GET.

    Raises:
        RequestError: BAD_REQUEST naming the parameter and what it must be.
    """
    try:
        found = parse_qs(query_string.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise _bad("the query string cannot be read") from error
    payload: dict[str, Any] = {name: values[-1] for name, values in found.items() if name in _PARAMETERS}
    for name in ("variables", "extensions"):
        text = payload.get(name)
        if not text:
            payload.pop(name, None)
            continue
        try:
            payload[name] = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _bad(f"the parameter {name} is not valid JSON") from error
    if not payload.get("query"):
        raise _bad("the parameter query with the text of the operation is missing")
    return read_payload(payload)


_PARAMETERS = frozenset({"query", "operationName", "variables", "extensions"})


def _bad(message: str) -> RequestError:
    return RequestError(ErrorCode.BAD_REQUEST, message)
