"""What is added to every answer and checked on every connection, before anything is known of the request.

Only what the settings ask for is put in the way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from gateway.config import CorsSettings

__all__ = ["wrap_edge"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


def wrap_edge(app: _App, cors: CorsSettings | None, response_headers: Mapping[str, str]) -> _App:
    """Return the application with what the settings put in the way, and what keeps other pages' WebSockets out."""
    if cors is not None:
        app = _allow_origins(app, cors)
    app = _refuse_strange_sockets(app, cors.origins if cors is not None else ())
    return _add_headers(app, response_headers) if response_headers else app


def _allow_origins(app: _App, cors: CorsSettings) -> _App:
    return CORSMiddleware(
        app,
        allow_origins=cors.origins,
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=("content-type", *cors.headers),
        allow_credentials=cors.credentials,
        expose_headers=cors.expose_headers,
        max_age=int(cors.max_age),
    )


def _refuse_strange_sockets(app: _App, origins: tuple[str, ...]) -> _App:
    """Refuse WebSockets of other pages; browsers open them without asking and send cookies along.

    Without cookies, too: a page could else use a gateway that only its visitor reaches, such as one on loopback.
    Programs that are no browsers send no origin, and pages that the gateway serves itself have its own.
    """
    allowed = frozenset(origin.encode() for origin in origins)

    async def serve(scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "websocket" and b"*" not in allowed:
            headers = dict(scope["headers"])
            origin = headers.get(b"origin")
            own = headers.get(b"host")
            if origin is not None and origin not in allowed and origin.partition(b"://")[2] != own:
                await receive()
                await send({"type": "websocket.close", "code": 4403, "reason": "the origin is not allowed"})
                return
        await app(scope, receive, send)

    return serve


def _add_headers(app: _App, headers: Mapping[str, str]) -> _App:
    added = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def serve(scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_more(message: _Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await app(scope, receive, send_more)

    return serve
