"""The ASGI application: the GraphQL path goes straight to its endpoints, everything else to starlette's routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from gateway.config import CorsSettings, ServerSettings
from gateway.policies.edge import wrap_edge
from gateway.server.graphiql import graphiql_routes
from gateway.server.health import health_routes
from gateway.server.http import HttpEndpoint, Receive, Scope, Send
from gateway.server.ws import WsEndpoint
from gateway.tracing import Tracing, begin_request
from gateway.transport.health import SubgraphStatus

__all__ = ["Entrance", "GatewayApp"]


@dataclass(frozen=True, slots=True)
class Entrance:
    """By what one set of settings lets clients in.

    Attributes:
        http: answers HTTP on the GraphQL path.
        websocket: serves WebSockets on the GraphQL path.
        settings: where and what is served.
        cors: which pages of other sites may read answers.
        routes: what is served besides, at paths of its own.
        tracing: surrounds each request, None where traces are not followed.
        subgraphs: tells what is known of subgraphs that are probed.
    """

    http: HttpEndpoint
    websocket: WsEndpoint
    settings: ServerSettings
    cors: CorsSettings | None = None
    routes: tuple[BaseRoute, ...] = ()
    tracing: Tracing | None = None
    subgraphs: Callable[[], Mapping[str, SubgraphStatus]] = dict


class GatewayApp:
    """Serves one gateway. Mounted below another application it answers below the mount path."""

    _http: HttpEndpoint
    _websocket: WsEndpoint
    _routes: Starlette

    def __init__(self, entrance: Entrance) -> None:
        self._is_ready = True
        self._starts: list[Callable[[], Awaitable[None]]] = []
        self._stop: Callable[[], Awaitable[None]] | None = None
        self.change(entrance)

    def change(self, entrance: Entrance) -> None:
        """Let clients in by another entrance from now on; those who are in stay."""
        settings, cors = entrance.settings, entrance.cors
        self._http, self._websocket, self._tracing = entrance.http, entrance.websocket, entrance.tracing
        self._path = settings.path
        pages = graphiql_routes(settings.path, settings.examples) if settings.graphiql else []
        self._edge = wrap_edge(self._dispatch, cors, settings.response_headers)
        self._has_edge = cors is not None or bool(settings.response_headers)
        self._routes = Starlette(
            routes=[*health_routes(lambda: self._is_ready, entrance.subgraphs), *pages, *entrance.routes],
            lifespan=self._lifespan,
        )

    def announce_stop(self) -> None:
        """Tell by ``/health/ready`` from now on that no more requests should come."""
        self._is_ready = False

    def on_start(self, start: Callable[[], Awaitable[None]]) -> None:
        """Add what is awaited when the server starts."""
        self._starts.append(start)

    def on_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Set what is awaited when the server stops."""
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":  # what it starts runs beside all requests, and bears the id of none
            await self._routes(scope, receive, send)
            return
        try:
            if self._tracing is not None and self._is_graphql(scope):
                with self._tracing.request(scope):
                    await self._serve(scope, receive, send)
            else:
                begin_request()
                await self._serve(scope, receive, send)
        except asyncio.CancelledError:
            if self._is_ready:
                raise
            # the server stops and waits no longer: that is no fault to be logged with its trace

    def _serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self._has_edge or scope["type"] == "websocket":
            return self._edge(scope, receive, send)
        if scope["type"] == "http" and scope["path"] == self._path:
            return self._http(scope, receive, send)  # nearly every request; it needs no other hop
        return self._dispatch(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and self._is_graphql(scope):
            await self._http(scope, receive, send)
        elif kind == "websocket" and self._is_graphql(scope):
            await self._websocket(WebSocket(scope, receive, send))
        else:
            await self._routes(scope, receive, send)

    def _is_graphql(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return path == self._path or path.removeprefix(scope.get("root_path", "")) == self._path

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        for start in self._starts:
            await start()
        yield
        self._is_ready = False
        if self._stop is not None:
            await self._stop()
