"""A token expires while its subscription is under way, on every protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from gateway.server.principal import Principal
from gateway.transport.base import SubgraphRequest
from tests.e2e.gateway.test_streams import EVENTS, PARTS, TOKEN, messages
from tests.e2e.gateway.test_websocket import INIT, ask, closing_code, receive, start, subscribe
from tests.support.event_log import LogTransport, log_supergraph
from tests.support.serving import serve_asgi

FOLLOW = 'subscription { changed(topic: "t") { n } }'
TICKS = 'subscription { ticked(topic: "t") { n } }'


class Wall:
    """The clock of the tokens, which stands still until the test moves it."""

    LIFE_S = 1000.0

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    def expire(self) -> None:
        """Let every token that was given out so far be over."""
        self.now += 2 * self.LIFE_S


WALL = Wall()


@pytest.fixture(autouse=True)
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    monkeypatch.setattr("gateway.server.expiry.time", WALL)
    monkeypatch.setattr("gateway.server.expiry._LONGEST_SLEEP_S", 0.01)
    return WALL


class OpenLog(LogTransport):
    """A log whose streams stay open after its last event; ``closed`` is set when one is left."""

    def __init__(self, many: int) -> None:
        super().__init__(many)
        self.closed = asyncio.Event()

    async def subscribe(self, request: SubgraphRequest) -> Any:
        try:
            async for event in super().subscribe(request):
                yield event
            await asyncio.Event().wait()
        finally:
            self.closed.set()


def expiring(headers: Mapping[str, str]) -> Principal:
    """Let everybody in for a while, and who has a new token for good."""
    is_new = headers.get("authorization") == "Bearer new"
    return Principal("ada", expires_at=None if is_new else WALL.now + WALL.LIFE_S)


@asynccontextmanager
async def served(log: LogTransport) -> AsyncIterator[str]:
    built = build_gateway(log_supergraph(), {"log": log}, settings_from({}, {}), expiring)
    async with asyncio.timeout(60), built, serve_asgi(built.asgi) as address:
        yield address


def check(errors: list[dict[str, Any]], after: str | None) -> None:
    extensions = errors[0]["extensions"]
    assert (extensions["code"], extensions.get("resumeAfter")) == ("UNAUTHENTICATED", after)


QUERIES = pytest.mark.parametrize(
    ("query", "after"), [(FOLLOW, "e2"), (TICKS, None)], ids=["a stream that can be resumed", "another stream"]
)


async def expire_after(stream: httpx.Response, many: int, wall: Wall) -> str:
    """Return the whole text of an answer; the tokens are over once so many events are there."""
    text = ""
    async for chunk in stream.aiter_text():
        text += chunk
        if text.count('"n":') == many:
            wall.expire()
    return text


@QUERIES
async def test_events_end_with_the_token(query, after, wall):
    log = OpenLog(2)
    async with served(log) as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        async with client.stream("POST", "/graphql", json={"query": query}, headers={"accept": EVENTS}) as stream:
            text = await expire_after(stream, 2, wall)
        await log.closed.wait()
    found = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]
    assert len(found) == 3
    check(found[2]["errors"], after)
    assert text.endswith("event: complete\ndata:\n\n")


@QUERIES
async def test_parts_end_with_the_token(query, after, wall):
    log = OpenLog(2)
    async with served(log) as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        async with client.stream("POST", "/graphql", json={"query": query}, headers={"accept": PARTS}) as stream:
            text = await expire_after(stream, 2, wall)
        await log.closed.wait()
    assert '"UNAUTHENTICATED"' in text
    assert (f'"resumeAfter":"{after}"' in text) is (after is not None)
    assert text.endswith("\r\n--graphql--\r\n")


@QUERIES
async def test_an_operation_on_a_shared_event_stream_ends_with_the_token_and_the_next_brings_a_new_one(
    query, after, wall
):
    log = OpenLog(2)
    async with served(log) as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        token = {TOKEN: (await client.put("/graphql")).text}
        request = client.build_request("GET", "/graphql", headers={**token, "accept": EVENTS})
        stream = await client.send(request, stream=True)
        body = {"query": query, "extensions": {"operationId": "1"}}
        assert (await client.post("/graphql", json=body, headers=token)).status_code == 202
        coming = messages(stream)
        found = [(await anext(coming))[1] for _ in range(2)]
        wall.expire()
        found += [(await anext(coming))[1] for _ in range(2)]
        check(found[2]["payload"]["errors"], after)
        assert found[3] == {"id": "1"}
        again = await client.post("/graphql", json=body, headers={**token, "authorization": "Bearer new"})
        assert again.status_code == 202
        assert "data" in (await anext(coming))[1]["payload"]
        await stream.aclose()


@QUERIES
async def test_a_socket_tells_its_operations_and_is_closed_with_the_token(query, after, wall):
    log = OpenLog(2)
    async with served(log) as address:
        url = address.replace("http", "ws") + "/graphql"
        async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as opened:
            await ask(opened, INIT)
            found = [await ask(opened, subscribe("1", query)), await receive(opened)]
            wall.expire()
            found.append(await receive(opened))
            assert [message["type"] for message in found] == ["next", "next", "error"]
            check(found[2]["payload"], after)
            assert await closing_code(opened) == 4403
        async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as renewed:
            await ask(renewed, {**INIT, "payload": {"authorization": "Bearer new"}})
            assert (await ask(renewed, subscribe("1", query)))["type"] == "next"


async def test_an_idle_socket_is_closed_with_the_token(wall):
    async with served(OpenLog(0)) as address:
        url = address.replace("http", "ws") + "/graphql"
        async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as opened:
            await ask(opened, INIT)
            wall.expire()
            assert await closing_code(opened) == 4403


@QUERIES
async def test_a_socket_of_the_older_protocol_ends_likewise(query, after, wall):
    async with served(OpenLog(1)) as address:
        url = address.replace("http", "ws") + "/graphql"
        async with connect(url, subprotocols=["graphql-ws"], proxy=None) as opened:
            await ask(opened, INIT)
            assert await receive(opened) == {"type": "ka"}
            first = await ask(opened, start("1", query))
            assert first["payload"] == {"data": {query[15:22].strip("("): {"n": 1}}}
            wall.expire()
            check((await receive(opened))["payload"]["errors"], after and "e1")
            assert await receive(opened) == {"id": "1", "type": "complete"}
            assert await closing_code(opened) == 4403


async def test_a_stream_that_had_no_event_yet_names_the_cursor_with_which_it_began(wall):
    query = 'subscription { changed(topic: "t", after: "e1") { n } }'
    asked = {"json": {"query": query}, "headers": {"accept": EVENTS}}
    async with (
        served(OpenLog(1)) as address,
        httpx.AsyncClient(base_url=address, timeout=30) as client,
        client.stream("POST", "/graphql", **asked) as stream,
    ):
        wall.expire()
        text = "".join([chunk async for chunk in stream.aiter_text()])
    check(json.loads(text.split("data: ")[1].split("\n")[0])["errors"], "e1")
