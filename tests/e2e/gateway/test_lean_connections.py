"""Our own connections say the same as uvicorn's, and hold less."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection, connect

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from gateway.server.lean_uvicorn import FRAMES
from tests.e2e.gateway.test_websocket import INIT, ask, receive, subscribe
from tests.support.event_log import log_supergraph
from tests.support.feed import Feed
from tests.support.serving import serve_asgi

FOLLOW = 'subscription { changed(topic: "t") { n eventId } }'
SHARED = {"loop", "_loop", "transport", "_transport", "config", "server_state", "app", "logger", "access_logger"}
"""What a connection has together with others, or does not make itself."""
SERVERS = pytest.mark.parametrize("is_lean", [True, False], ids=["ours", "uvicorn's"])


class Messages:
    """An application in front of another one, which sees what that sends to its sockets."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.sent: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            self.sent.append(message)
            await send(message)

        await self._app(scope, receive, note)


@asynccontextmanager
async def served(feed: Feed, *, is_lean: bool, **subscriptions: Any) -> AsyncIterator[tuple[str, Messages]]:
    built = build_gateway(log_supergraph(), {"log": feed}, settings_from({"subscriptions": subscriptions}, {}))
    app = Messages(built.asgi)
    async with asyncio.timeout(30), built, serve_asgi(app, is_lean=is_lean) as address:
        yield address, app


def opened(address: str, **more: Any) -> connect:
    url = address.replace("http", "ws") + "/graphql"
    return connect(url, subprotocols=["graphql-transport-ws"], proxy=None, **more)


async def follow(socket: ClientConnection, feed: Feed) -> None:
    assert await ask(socket, INIT) == {"type": "connection_ack"}
    await socket.send(json.dumps(subscribe("an id", FOLLOW)))
    await feed.opened(1)


@SERVERS
@pytest.mark.parametrize("size", [0, 60, 70, 65_400, 65_600, 300_000])
async def test_a_socket_gets_texts_of_every_size(is_lean, size):
    feed = Feed()
    async with served(feed, is_lean=is_lean) as (address, app), opened(address) as socket:
        await follow(socket, feed)
        event = {"n": 1, "eventId": "é" * (size // 2), "_cursor": "e1"}
        feed.streams[0].put(orjson.dumps({"data": {"changed": event}}))
        assert (await receive(socket))["payload"] == {"data": {"changed": {"n": 1, "eventId": event["eventId"]}}}
        assert any(FRAMES in message for message in app.sent) is is_lean


@SERVERS
async def test_a_socket_gets_every_event_of_a_burst_in_order_and_then_the_end(is_lean):
    feed = Feed()
    async with served(feed, is_lean=is_lean) as (address, _), opened(address) as socket:
        await follow(socket, feed)
        feed.streams[0].send(*range(500))
        feed.streams[0].end()
        found = [(await receive(socket))["payload"]["data"]["changed"]["n"] for _ in range(500)]
        assert found == list(range(500))
        assert await receive(socket) == {"id": "an id", "type": "complete"}


async def test_what_is_compressed_goes_as_text():
    feed = Feed()
    async with served(feed, is_lean=False) as (address, app), opened(address, compression="deflate") as socket:
        await follow(socket, feed)
        feed.streams[0].send(1)
        await receive(socket)
        assert not any(FRAMES in message for message in app.sent)


async def test_an_answer_of_events_reaches_a_client_on_a_connection_that_is_used_again():
    feed = Feed()
    async with served(feed, is_lean=True) as (address, _), httpx.AsyncClient(base_url=address) as client:
        for number in range(3):
            request = client.build_request(
                "POST", "/graphql", json={"query": FOLLOW}, headers={"accept": "text/event-stream"}
            )
            coming = asyncio.create_task(client.send(request))
            stream = (await feed.opened(number + 1))[number]
            stream.send(number)
            stream.end()
            assert f'"n":{number}' in (await coming).text


def deques_of(thing: Any, depth: int = 3) -> list[str]:
    """Return the attributes of a connection, and of what it has for itself alone, that are deques."""
    found = []
    for name, value in vars(thing).items():
        if isinstance(value, deque):
            found.append(name)
        elif depth and name not in SHARED and hasattr(value, "__dict__"):
            found += [f"{name}.{inner}" for inner in deques_of(value, depth - 1)]
    return found


@SERVERS
@pytest.mark.parametrize("protocol", ["event stream", "WebSocket"])
async def test_only_connections_of_ours_hold_no_empty_deques(protocol, is_lean):
    feed, held = Feed(), []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in {"http", "websocket"}:
            held.append(send.__self__)
        await built.asgi(scope, receive, send)

    built = build_gateway(log_supergraph(), {"log": feed})
    async with asyncio.timeout(30), built, serve_asgi(look, is_lean=is_lean) as address:
        if protocol == "WebSocket":
            async with opened(address) as socket:
                await follow(socket, feed)
                assert isinstance(held[0], WebSocketsSansIOProtocol)
                assert (deques_of(held[0]) == []) is is_lean
                assert (not held[0].request.headers) is is_lean
            return
        async with httpx.AsyncClient(base_url=address) as client:
            headers = {"accept": "text/event-stream"}
            async with client.stream("POST", "/graphql", json={"query": FOLLOW}, headers=headers):
                protocols = held[0].on_response.__self__
                assert isinstance(protocols, HttpToolsProtocol)
                assert ([*deques_of(held[0]), *deques_of(protocols)] == []) is is_lean
