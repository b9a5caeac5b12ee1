"""A subscription whose stream does not start, or breaks off: each protocol says why, and that nothing was executed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from tests.e2e.gateway.test_streams import EVENTS, PARTS, TOKEN, messages, operation, parts, reserve
from tests.support.event_log import LOG_SDL, log_supergraph
from tests.support.feed import Feed
from tests.support.serving import serve_asgi

QUERY = 'subscription { ticked(topic: "t") { n } }'
EVENT = orjson.dumps({"data": {"ticked": {"n": 1}}})

Told = list[tuple[str, Any]]
"""Kind and content of each message of a subscription, in the words of its protocol."""


async def by_events(address: str) -> Told:
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/graphql", json={"query": QUERY}, headers={"accept": EVENTS})
    return [event_of(block) for block in answer.text.strip().split("\n\n")]


def event_of(block: str) -> tuple[str, Any]:
    kind, _, data = block.removeprefix("event: ").partition("\ndata:")
    return kind, json.loads(data) if data else None


async def by_shared_events(address: str) -> Told:
    async with httpx.AsyncClient(base_url=address) as client:
        token = {TOKEN: await reserve(client)}
        async with client.stream("GET", "/graphql", headers={**token, "accept": EVENTS}) as stream:
            await client.post("/graphql", json=operation("1", QUERY), headers=token)
            found: Told = []
            async for kind, data in messages(stream):
                assert data["id"] == "1"
                found.append((kind, data.get("payload")))
                if kind == "complete":
                    return found
    raise AssertionError("the stream ended first")


async def by_parts(address: str) -> Told:
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/graphql", json={"query": QUERY}, headers={"accept": PARTS})
    return [("part", part) for part in parts(answer.text)]


async def by_socket(address: str, protocol: str, start: str) -> Told:
    found: Told = []
    async with connect(f"{address.replace('http', 'ws')}/graphql", subprotocols=[protocol], proxy=None) as socket:
        await socket.send('{"type":"connection_init"}')
        await socket.send(json.dumps({"id": "1", "type": start, "payload": {"query": QUERY}}))
        while True:
            message = json.loads(await socket.recv())
            if "id" in message:
                found.append((message["type"], message.get("payload")))
                if message["type"] in {"error", "complete"}:
                    return found


async def by_transport_ws(address: str) -> Told:
    return await by_socket(address, "graphql-transport-ws", "subscribe")


async def by_old_ws(address: str) -> Told:
    return await by_socket(address, "graphql-ws", "start")


def last_words(errors: Any) -> dict[Callable[[str], Awaitable[Told]], Told]:
    return {
        by_events: [("next", {"errors": errors}), ("complete", None)],
        by_shared_events: [("next", {"errors": errors}), ("complete", None)],
        by_parts: [("part", {"payload": None, "errors": errors})],
        by_transport_ws: [("error", errors)],
        by_old_ws: [("data", {"errors": errors}), ("complete", None)],
    }


UNREACHABLE = SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "no connection could be made", subgraph="log")
UNREACHABLE_TOLD = [
    {
        "message": "no connection could be made",
        "extensions": {"code": "SUBGRAPH_UNAVAILABLE", "subgraph": "log", "retryable": True},
    }
]
NO = {"message": "not for you", "extensions": {"code": "FORBIDDEN"}}
NO_TOLD = [{"message": "not for you", "extensions": {"code": "FORBIDDEN", "subgraph": "log"}}]

REASONS = [
    pytest.param(UNREACHABLE, UNREACHABLE_TOLD, id="the subgraph cannot be reached"),
    pytest.param({"errors": [{**NO, "path": ["ticked"]}]}, NO_TOLD, id="the subgraph refuses"),
    pytest.param({"data": None, "errors": [NO]}, NO_TOLD, id="the subgraph refuses and always writes data"),
]
PROTOCOLS = pytest.mark.parametrize("ask", last_words(None), ids=lambda ask: ask.__name__)


async def tell(ask: Callable[[str], Awaitable[Told]], *fed: Any, sdl: str | None = None, **settings: Any) -> Told:
    feed = Feed()
    graph = build_gateway(log_supergraph() if sdl is None else sdl, {"log": feed}, settings_from(settings, {}))
    async with asyncio.timeout(30), graph as built, serve_asgi(built.asgi) as address:
        asking = asyncio.create_task(ask(address))
        if fed:
            stream = (await feed.opened(1))[0]
            for what in fed:
                if isinstance(what, Exception):
                    stream.end(what)
                else:
                    stream.put(what if isinstance(what, bytes) else orjson.dumps(what))
        return await asking


@PROTOCOLS
@pytest.mark.parametrize(("reason", "errors"), REASONS)
async def test_a_stream_that_does_not_start_is_answered_without_data(ask, reason, errors):
    assert await tell(ask, reason) == last_words(errors)[ask]


@PROTOCOLS
async def test_a_stream_that_breaks_off_ends_without_data_after_its_events(ask):
    found = await tell(ask, EVENT, StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, "the connection broke", subgraph="log"))
    code = {"code": "SUBSCRIPTION_ENDED", "subgraph": "log", "retryable": True}
    message = "the subscription ended and cannot be resumed; events may have been missed: the connection broke"
    assert found[1:] == last_words([{"message": message, "extensions": code}])[ask]
    assert orjson.loads(EVENT) in (found[0][1], found[0][1].get("payload"))


async def test_an_event_whose_field_failed_is_an_answer_like_any_other():
    failed = {"message": "no stock", "path": ["ticked"], "extensions": {"code": "E", "subgraph": "log"}}
    found = await tell(by_transport_ws, {"data": None, "errors": [failed]}, EVENT, UNREACHABLE)
    assert [kind for kind, _ in found] == ["next", "next", "error"]
    assert found[0][1] == {"errors": [failed], "data": {"ticked": None}}


@pytest.mark.parametrize("ask", [by_events, by_transport_ws, by_old_ws], ids=lambda ask: ask.__name__)
async def test_a_stream_that_its_caller_may_not_follow_is_answered_without_data(ask):
    imports, field = '"@composeDirective"]', "ticked(topic: String!): Change"
    closed = LOG_SDL.replace(imports, '"@composeDirective", "@authenticated"]').replace(
        field, f"{field} @authenticated"
    )
    errors = [
        {
            "message": "you are not allowed to follow Subscription.ticked; "
            "sign in with a principal that has the rights it needs",
            "extensions": {"coordinates": ["Subscription.ticked"], "code": "UNAUTHORIZED_FIELD_OR_TYPE"},
        }
    ]
    assert await tell(ask, sdl=log_supergraph(closed)) == last_words(errors)[ask]
