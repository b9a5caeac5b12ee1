"""A WebSocket that is read too slowly: its subscription ends with the place from which it goes on without a gap."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from tests.support.event_log import LOG_SDL, log_supergraph
from tests.support.feed import Feed, Stream
from tests.support.serving import serve_asgi

SDL = LOG_SDL.replace("n: Int! }", "n: Int! text: String! }")
MANY = 60
TEXT = "x" * (512 * 1024)
"""So much in each event that all of them are more than the buffers of the system hold."""


def feed_events(stream: Stream, first: int) -> None:
    for number in range(first, MANY + 1):
        event = {"_cursor": f"e{number}", "n": number, "text": TEXT}
        stream.put(orjson.dumps({"data": {"changed": event}}))


async def subscribe(socket: ClientConnection, start: str, after: str | None) -> None:
    query = 'subscription($after: ID) { changed(topic: "t", after: $after) { n text } }'
    await socket.send('{"type":"connection_init"}')
    await socket.send(
        json.dumps({"id": "1", "type": start, "payload": {"query": query, "variables": {"after": after}}})
    )


async def read_out(socket: ClientConnection) -> tuple[list[int], list[Any]]:
    """Return the numbers of the events up to the end, and the errors with which it ends."""
    numbers: list[int] = []
    errors: list[Any] = []
    async for text in socket:
        message = json.loads(text)
        payload = message.get("payload")
        if message["type"] == "error":
            return numbers, payload
        if message["type"] == "complete":
            return numbers, errors
        if message["type"] in {"next", "data"}:
            errors = payload.get("errors", [])
            numbers += [payload["data"]["changed"]["n"]] if "data" in payload else []
    raise AssertionError("the socket was closed first")


@pytest.mark.parametrize(("protocol", "start"), [("graphql-transport-ws", "subscribe"), ("graphql-ws", "start")])
async def test_a_slow_client_is_told_where_to_go_on_and_gets_each_event_once(protocol, start, monkeypatch):
    monkeypatch.setattr("gateway.server.streams._PATIENCE_FOR_ONE_WRITE", 600)  # the machine may be slow, too
    feed = Feed()
    settings = settings_from({"subscriptions": {"max_waiting_events": 4, "slow_client_timeout": "50ms"}}, {})
    built = build_gateway(log_supergraph(SDL), {"log": feed}, settings)
    async with asyncio.timeout(60), built, serve_asgi(built.asgi) as address:
        url = f"{address.replace('http', 'ws')}/graphql"
        async with connect(url, subprotocols=[protocol], proxy=None, max_size=None, max_queue=1) as slow:
            await subscribe(slow, start, None)
            source = (await feed.opened(1))[0]
            feed_events(source, 1)
            await source.closed.wait()
            first, errors = await read_out(slow)
        told = errors[0]["extensions"]
        assert (told["code"], told["resumeAfter"]) == ("SLOW_CLIENT", f"e{first[-1]}")
        assert len(first) < MANY
        async with connect(url, subprotocols=[protocol], proxy=None, max_size=None) as quick:
            await subscribe(quick, start, told["resumeAfter"])
            again = (await feed.opened(2))[1]
            assert orjson.loads(again.request.body)["variables"]["_after"] == told["resumeAfter"]
            reading = asyncio.create_task(read_out(quick))
            feed_events(again, first[-1] + 1)
            again.end()
            rest, errors = await reading
    assert first + rest == list(range(1, MANY + 1))
    assert errors == []
