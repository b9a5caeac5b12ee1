"""A GraphQL request as it comes out of HTTP, and the ways to read one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

import orjson

from gateway.errors import ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Principal
from gateway.transport.upload import Upload

__all__ = [
    "NO_CLIENT",
    "Client",
    "GraphQLRequest",
    "KnownClient",
    "RequestContext",
    "read_body",
    "read_operation_id",
    "read_payload",
    "read_query_string",
]


MAX_DOCUMENT_ID_CHARS = 256
"""Longest id of a persisted document; hashes have 64."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation to run.

    Attributes:
        query: text of the document; empty when ``document_id`` names it.
        document_id: id or hash of a persisted document, None when the text says all.
        upload: files that come after the operation, None when there are none.
        resume_after: cursor of the last event that the client has seen of a subscription that it takes up again.
    """

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    resume_after: str | None = None
    document_id: str | None = None
    upload: Upload | None = None


class Client(Protocol):
    """The program that asks, as far as it says and the connection tells."""

    @property
    def name(self) -> str | None:
        """What it calls itself, None when it does not."""
        ...

    @property
    def address(self) -> str | None:
        """IP address that it asks from, None when unknown."""
        ...


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client of which all is known that is to be known."""

    name: str | None = None
    address: str | None = None


NO_CLIENT = KnownClient()


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asks, by what program, and what is passed on to subgraphs (lower-case header names with values).

    The program makes no difference to the answer, so two contexts that differ in it alone are equal.

    Attributes:
        idempotency_key: the header ``Idempotency-Key`` as it came, None without one.
        came_with: every header of the client by lower-case name, for extensions; None where there are none.
    """

    principal: Principal = ANONYMOUS
    headers: tuple[tuple[str, str], ...] = field(default=())
    client: Client = field(default=NO_CLIENT, compare=False)
    idempotency_key: str | None = None
    came_with: Mapping[str, str] | None = field(default=None, compare=False, repr=False)


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


def read_operation_id(body: bytes) -> Any:
    """Return ``extensions.operationId`` of a body that :func:`read_body` accepts, None when it is not there."""
    extensions = orjson.loads(body).get("extensions")
    return extensions.get("operationId") if extensions else None


def read_payload(payload: Any) -> GraphQLRequest:
    """Read the members of a request that was decoded already.

    Raises:
        RequestError: BAD_REQUEST naming the member and what it must be.
    """
    if payload.__class__ is not dict:
        kind = "a batch of requests is not accepted; send one object" if isinstance(payload, list) else "send an object"
        raise _bad(f"the body must be a JSON object with the member query: {kind}")
    query = payload.get("query")
    document_id = _read_document_id(payload)
    if query is None and document_id is not None:
        query = ""
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
    return GraphQLRequest(query, variables, name or None, None, document_id)


def _read_document_id(payload: dict[str, Any]) -> str | None:
    """Return the id by which a request names its document.

    Apollo puts a hash into ``extensions.persistedQuery``, also beside a text that it registers; GraphQL over HTTP says
    ``documentId``, Relay ``doc_id`` or ``id``, each instead of a text.
    """
    extensions = payload.get("extensions")
    if extensions.__class__ is dict and "persistedQuery" in extensions:
        given = extensions["persistedQuery"]
        if given.__class__ is not dict or given.get("version") != 1 or given.get("sha256Hash").__class__ is not str:
            raise _bad("extensions.persistedQuery must have version 1 and the string sha256Hash")
        return _checked_id(given["sha256Hash"])
    if payload.get("query"):
        return None
    for name in _DOCUMENT_IDS:
        found = payload.get(name)
        if found is not None:
            if found.__class__ is not str:
                raise _bad(f"{name} must be a string")
            return _checked_id(found.removeprefix("sha256:"))
    return None


def _checked_id(identifier: str) -> str:
    if not 0 < len(identifier) <= MAX_DOCUMENT_ID_CHARS:
        raise _bad(f"the id of a persisted document must have 1 to {MAX_DOCUMENT_ID_CHARS} characters")
    return identifier


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
    if not payload.get("query") and "extensions" not in payload and _DOCUMENT_IDS.isdisjoint(payload):
        raise _bad("the parameter query with the text of the operation is missing")
    return read_payload(payload)


_DOCUMENT_IDS = frozenset({"documentId", "doc_id", "id"})
_PARAMETERS = frozenset({"query", "operationName", "variables", "extensions"}) | _DOCUMENT_IDS


def _bad(message: str) -> RequestError:
    return RequestError(ErrorCode.BAD_REQUEST, message)
