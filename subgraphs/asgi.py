"""A subgraph as an ASGI application: GraphQL over HTTP and graphql-transport-ws, and a health answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult

from resolvers.rows import RowRules
from schema.graphql.scalars import SCALARS
from schema.records.identity import Principal
from subgraphs.claims import BadClaims, ClaimsReader
from subgraphs.context import RequestContext
from subgraphs.deadline import Deadline, read_deadline
from subgraphs.errors import SubgraphSchema, system_failure
from subgraphs.refusals import RefusalLog, note_refusals
from subgraphs.texts import StorableTexts
from systems.errors import ConnectorError

__all__ = ["FEDERATION_VERSION", "build_schema", "subgraph_app"]

FEDERATION_VERSION = "2.9"

CACHED_DOCUMENTS = 512
"""Parsed and validated documents that a subgraph keeps; a gateway sends the same ones again and again."""

R = TypeVar("R")


def build_schema(
    query: type, mutation: type | None = None, subscription: type | None = None, types: tuple[type, ...] = ()
) -> SubgraphSchema:
    """Return the schema of a subgraph; ``types`` are those that no root field reaches."""
    return SubgraphSchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=types,
        federation_version=FEDERATION_VERSION,  # type: ignore[arg-type]
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[
            lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            StorableTexts,
            Deadline,
        ],
    )


def subgraph_app(
    schema: SubgraphSchema,
    make_reader: Callable[[Principal], R],
    claims: ClaimsReader,
    audit: RefusalLog | None = None,
    rows: RowRules | None = None,
) -> ASGIApp:
    """Return the application; every request gets a reader of its own, made for the principal that its claims prove.

    Args:
        schema: what is served.
        make_reader: makes the reader of a request.
        claims: reads who asks.
        audit: is told what was refused for want of a right; None tells nobody.
        rows: says which accounts a principal works with; None binds nobody.
    """
    graphql = _Graph(schema, make_reader, claims, audit, rows)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/health":
            await JSONResponse({"status": "ok"})(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            await graphql(scope, receive, send)
        else:
            await _lifespan(receive, send)

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class _Graph(GraphQL[RequestContext[Any], None], Generic[R]):
    """Strawberry's view with our context, our JSON, and claims checked before anything else."""

    def __init__(
        self,
        schema: SubgraphSchema,
        make_reader: Callable[[Principal], R],
        claims: ClaimsReader,
        audit: RefusalLog | None,
        rows: RowRules | None,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        )
        self._make_reader = make_reader
        self._claims = claims
        self._audit = audit
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose claims are in order."""
        connection = WebSocket(scope, receive, send) if scope["type"] == "websocket" else Request(scope, receive)
        try:
            principal = self._claims.principal(connection.headers)
            if self._rows is not None:
                principal = await self._rows.bind(principal)
        except BadClaims as refusal:
            await _refuse(connection, str(refusal), scope, receive, send)
            return
        except ConnectorError as error:
            await _fail(connection, error, scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await super().__call__(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> RequestContext[Any]:
        """Return the context of a request."""
        del response
        until = read_deadline(request.headers)
        return RequestContext(request.scope["state"]["principal"], self._make_reader, until)

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Return the answer; what was refused for want of a right is noted first."""
        if self._audit is not None and result.errors:
            await note_refusals(self._audit, request.scope["state"]["principal"], result.errors)
        return await super().process_result(request, result)

    def encode_json(self, data: object) -> bytes:
        """Return JSON as bytes."""
        return orjson.dumps(data)

    def decode_json(self, data: str | bytes) -> object:
        """Return what JSON says."""
        return orjson.loads(data)


async def _refuse(connection: Request | WebSocket, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if isinstance(connection, WebSocket):
        await connection.close(code=4403, reason=reason)
        return
    error = {"message": reason, "extensions": {"code": "UNAUTHENTICATED"}}
    await JSONResponse({"errors": [error]}, 401)(scope, receive, send)


async def _fail(
    connection: Request | WebSocket, error: ConnectorError, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer that nobody can say now what the principal may see."""
    if isinstance(connection, WebSocket):
        await connection.close(code=1013, reason=str(error))
        return
    body = {"data": None, "errors": [{"message": str(error), "extensions": system_failure(error)}]}
    await JSONResponse(body)(scope, receive, send)
