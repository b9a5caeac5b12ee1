"""graphql-transport-ws, and the older graphql-ws, as the protocols say, message by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.errors import ErrorCode, RequestError
from tests.e2e.gateway.test_gateway import IN_PROCESS, PRICES
from tests.support.testkit import TestGateway

INIT = {"type": "connection_init"}


@asynccontextmanager
async def socket(kit: TestGateway = IN_PROCESS, *, init: bool = True) -> AsyncIterator[ClientConnection]:
    async with kit.serve() as address:
        url = address.replace("http", "ws") + "/graphql"
        async with asyncio.timeout(10), connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as opened:
            if init:
                assert await ask(opened, INIT) == {"type": "connection_ack"}
            yield opened


async def ask(opened: ClientConnection, message: Any) -> dict[str, Any]:
    await opened.send(message if isinstance(message, str) else json.dumps(message))
    return await receive(opened)


async def receive(opened: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await opened.recv())
    return found


def subscribe(identifier: str, query: str, **variables: Any) -> dict[str, Any]:
    return {"id": identifier, "type": "subscribe", "payload": {"query": query, "variables": variables}}


async def closing_code(opened: ClientConnection) -> int:
    while True:
        try:
            await opened.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


async def becomes_free(opened: ClientConnection) -> None:
    """Ask until a place is free: a stream holds its own until it has ended at the subgraph."""
    for number in range(500):
        message = await ask(opened, subscribe(f"again {number}", "{ me { name } }"))
        while not message["id"].startswith("again"):
            message = await receive(opened)
        if message["type"] == "next":
            return
    pytest.fail("the place stays taken")


async def test_a_query_gives_next_and_complete():
    async with socket() as opened:
        answer = await ask(opened, subscribe("1", "{ me { name } }"))
        assert answer == {"id": "1", "type": "next", "payload": {"data": {"me": {"name": "Ada"}}}}
        assert await receive(opened) == {"id": "1", "type": "complete"}
        assert (await ask(opened, subscribe("1", "{ me { name } }")))["type"] == "next"


async def test_a_faulty_operation_gives_error_and_the_socket_lives_on():
    async with socket() as opened:
        answer = await ask(opened, subscribe("1", "{ no }"))
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert (await ask(opened, {"id": "2", "type": "subscribe", "payload": {}}))["type"] == "error"
        assert await ask(opened, {"type": "ping"}) == {"type": "pong"}


async def test_operations_run_side_by_side_and_end_one_by_one():
    async with socket() as opened:
        await opened.send(json.dumps(subscribe("long", PRICES, upcs=["wait"])))
        assert (await ask(opened, subscribe("short", PRICES, upcs=["table"])))["id"] == "short"
        assert await receive(opened) == {"id": "short", "type": "complete"}
        await opened.send(json.dumps({"id": "long", "type": "complete"}))
        assert (await ask(opened, subscribe("long", "{ me { name } }")))["type"] == "next"


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        pytest.param([subscribe("1", "{ me { name } }")], 4401, id="subscribe before the handshake"),
        pytest.param([INIT, INIT], 4429, id="two handshakes"),
        pytest.param([{"type": "connection_init", "payload": 3}], 4400, id="a payload that is no object"),
        pytest.param(["nonsense"], 4400, id="no JSON"),
        pytest.param([INIT, {"type": "what"}], 4400, id="an unknown type"),
        pytest.param([INIT, {"type": "subscribe", "payload": {}}], 4400, id="no id"),
        pytest.param(
            [INIT, subscribe("1", PRICES, upcs=["wait"]), subscribe("1", PRICES, upcs=["wait"])], 4409, id="an id twice"
        ),
    ],
)
async def test_breaking_the_protocol_closes_the_socket_with_its_code(messages, code):
    async with socket(init=False) as opened:
        for message in messages:
            await opened.send(message if isinstance(message, str) else json.dumps(message))
        assert await closing_code(opened) == code


async def test_a_socket_that_never_introduces_itself_is_closed():
    async with socket(IN_PROCESS.with_settings(subscriptions={"init_timeout": "50ms"}), init=False) as opened:
        assert await closing_code(opened) == 4408


async def test_idle_sockets_are_pinged():
    async with socket(IN_PROCESS.with_settings(subscriptions={"heartbeat": "50ms"})) as opened:
        assert await receive(opened) == {"type": "ping"}
        assert await ask(opened, {"type": "pong"}) == {"type": "ping"}


@pytest.mark.parametrize("limit", ["max_per_connection", "max_total"])
async def test_more_subscriptions_than_allowed_are_refused_and_the_neighbour_runs_on(limit):
    async with socket(IN_PROCESS.with_settings(subscriptions={limit: 1})) as opened:
        await opened.send(json.dumps(subscribe("1", PRICES, upcs=["wait"])))
        refused = await ask(opened, subscribe("2", PRICES, upcs=["table"]))
        assert refused["id"] == "2"
        told = {"code": "LIMIT_EXCEEDED", "limit": f"subscriptions.{limit}", "most": 1}
        assert refused["payload"][0]["extensions"] == told
        assert f"subscriptions.{limit} is 1" in refused["payload"][0]["message"]
        await opened.send(json.dumps({"id": "1", "type": "complete"}))
        await becomes_free(opened)


async def test_an_operation_that_ends_at_once_frees_its_place():
    async with socket(IN_PROCESS.with_settings(subscriptions={"max_total": 1})) as opened:
        for number in range(3):
            await opened.send(json.dumps(subscribe(str(number), PRICES, upcs=["wait"])))
            await opened.send(json.dumps({"id": str(number), "type": "complete"}))
        await becomes_free(opened)


@asynccontextmanager
async def old_socket(kit: TestGateway = IN_PROCESS, *, init: bool = True) -> AsyncIterator[ClientConnection]:
    async with kit.serve() as address:
        url = address.replace("http", "ws") + "/graphql"
        async with asyncio.timeout(10), connect(url, subprotocols=["graphql-ws"], proxy=None) as opened:
            if init:
                assert await ask(opened, INIT) == {"type": "connection_ack"}
                assert await receive(opened) == {"type": "ka"}
            yield opened


def start(identifier: str, query: str, **variables: Any) -> dict[str, Any]:
    return {**subscribe(identifier, query, **variables), "type": "start"}


async def test_the_older_protocol_gives_data_and_complete():
    async with old_socket() as opened:
        answer = await ask(opened, start("1", PRICES, upcs=["table"]))
        assert (answer["id"], answer["type"]) == ("1", "data")
        assert answer["payload"]["data"]["priceChanged"]["price"] == 899
        assert await receive(opened) == {"id": "1", "type": "complete"}


async def test_the_older_protocol_gives_the_errors_of_a_faulty_operation_as_data():
    async with old_socket() as opened:
        answer = await ask(opened, start("1", "{ no }"))
        assert answer["type"] == "data"
        assert answer["payload"]["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert await receive(opened) == {"id": "1", "type": "complete"}


async def test_the_older_protocol_stops_an_operation_and_one_whose_id_is_used_again():
    async with old_socket(IN_PROCESS.with_settings(subscriptions={"max_total": 1, "heartbeat": "10s"})) as opened:
        await opened.send(json.dumps(start("1", PRICES, upcs=["wait"])))
        await opened.send(json.dumps({"id": "1", "type": "stop"}))
        for _ in range(500):
            answer = await ask(opened, start("1", "{ me { name } }"))
            assert (await receive(opened))["type"] == "complete"
            if "data" in answer["payload"]:
                break
        else:
            pytest.fail("the place stays taken")


async def test_idle_sockets_of_the_older_protocol_are_kept_alive():
    async with old_socket(IN_PROCESS.with_settings(subscriptions={"heartbeat": "50ms"})) as opened:
        assert await receive(opened) == {"type": "ka"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        pytest.param([start("1", "{ me { name } }")], 4401, id="start before the handshake"),
        pytest.param([INIT, {"type": "ping"}], 4400, id="a word of the other protocol"),
        pytest.param([INIT, {"type": "connection_terminate"}], 1000, id="good-bye"),
    ],
)
async def test_the_older_protocol_closes_with_its_code(messages, code):
    async with old_socket(init=False) as opened:
        for message in messages:
            await opened.send(json.dumps(message))
        assert await closing_code(opened) == code


async def test_a_stranger_is_told_why_it_is_refused_by_the_older_protocol():
    def nobody(_: Any) -> Any:
        raise RequestError(ErrorCode.UNAUTHENTICATED, "the token is not valid", http_status=401)

    async with old_socket(IN_PROCESS.with_identity(nobody), init=False) as opened:
        refused = await ask(opened, INIT)
        assert refused == {"type": "connection_error", "payload": {"message": "the token is not valid"}}
        assert await closing_code(opened) == 4403


async def test_the_newer_protocol_is_taken_when_a_client_offers_both():
    async with IN_PROCESS.serve() as address:
        url = address.replace("http", "ws") + "/graphql"
        offered = ["graphql-ws", "graphql-transport-ws"]
        async with connect(url, subprotocols=offered, proxy=None) as opened:
            assert opened.subprotocol == "graphql-transport-ws"


async def test_another_protocol_is_refused():
    async with IN_PROCESS.serve() as address:
        url = address.replace("http", "ws") + "/graphql"
        with pytest.raises(Exception, match=r"403|subprotocol"):
            async with connect(url, subprotocols=["graphql-over-pigeons"], proxy=None):
                pass


async def test_headers_may_come_with_the_handshake():
    kit = IN_PROCESS.with_settings(headers={"propagate": ["authorization"]})
    async with socket(kit, init=False) as opened:
        await ask(opened, {"type": "connection_init", "payload": {"Authorization": "Bearer ws"}})
        answer = await ask(opened, subscribe("1", '{ header(name: "authorization") }'))
    assert answer["payload"] == {"data": {"header": "Bearer ws"}}
