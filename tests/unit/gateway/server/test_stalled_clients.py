"""A client that takes nothing any more loses its connection, whatever protocol it speaks, and frees its place."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.e2e.gateway.test_gateway import IN_PROCESS, PRICES

KIT = IN_PROCESS.with_settings(
    subscriptions={"slow_client_timeout": "10ms", "heartbeat": "5ms", "max_total": 2, "max_waiting_events": 1}
)
TOKEN = b"x-graphql-event-stream-token"


class Wire:
    """Both ends of one ASGI connection; from ``stalls_after`` messages on nothing more is taken."""

    def __init__(self, *incoming: dict[str, Any], stalls_after: int | None = None) -> None:
        self._incoming = list(incoming)
        self._stalls_after = stalls_after
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        if self._incoming:
            return self._incoming.pop(0)
        return await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        if self._stalls_after is not None and len(self.sent) >= self._stalls_after:
            await asyncio.Event().wait()
        self.sent.append(message)


def scope(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "path": "/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        **more,
    }


def text(message: Any) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": json.dumps(message)}


async def ask(app: Any, method: str, body: Any = None, **headers: bytes) -> Wire:
    content = b"" if body is None else json.dumps(body).encode()
    wire = Wire({"type": "http.request", "body": content})
    sent = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    await app(scope("http", method=method, headers=sent), wire.receive, wire.send)
    return wire


async def test_a_websocket_that_takes_nothing_is_closed():
    payload = {"query": PRICES, "variables": {"upcs": ["table", "wait"]}}
    wire = Wire(
        {"type": "websocket.connect"},
        text({"type": "connection_init"}),
        text({"id": "1", "type": "subscribe", "payload": payload}),
        stalls_after=2,
    )
    async with asyncio.timeout(5), KIT.build() as gateway:
        await gateway.asgi(scope("websocket", subprotocols=["graphql-transport-ws"]), wire.receive, wire.send)
        assert [message["type"] for message in wire.sent] == ["websocket.accept", "websocket.send"]
        answered = await ask(gateway.asgi, "POST", {"query": "{ me { name } }"}, content_type=b"application/json")
        assert answered.sent[0]["status"] == 200


async def test_a_shared_event_stream_that_takes_nothing_is_cut_and_its_token_void():
    async with asyncio.timeout(5), KIT.build() as gateway:
        token = (await ask(gateway.asgi, "PUT")).sent[1]["body"]
        headers = [(b"accept", b"text/event-stream"), (TOKEN, token)]
        wire = Wire(stalls_after=2)
        await gateway.asgi(scope("http", method="GET", headers=headers), wire.receive, wire.send)
        assert [message["type"] for message in wire.sent] == ["http.response.start", "http.response.body"]
        body = {"query": "{ me { name } }", "extensions": {"operationId": "1"}}
        late = await ask(
            gateway.asgi, "POST", body, content_type=b"application/json", x_graphql_event_stream_token=token
        )
        assert late.sent[0]["status"] == 404
        assert [(await ask(gateway.asgi, "PUT")).sent[0]["status"] for _ in range(3)] == [201, 201, 503]
