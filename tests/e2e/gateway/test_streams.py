"""Subscriptions over HTTP: events, parts, and event streams that carry several operations."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.server.principal import Principal
from tests.e2e.gateway.test_gateway import IN_PROCESS, PRICES, http

PARTS = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json'
EVENTS = "text/event-stream"
TOKEN = "x-graphql-event-stream-token"


def parts(body: str) -> list[Any]:
    first, *found, last = body.split("\r\n--graphql")
    assert (first, last) == ("", "--\r\n")
    return [json.loads(part.removeprefix("\r\ncontent-type: application/json\r\n\r\n")) for part in found]


async def test_a_subscription_is_answered_in_parts():
    body = {"query": PRICES, "variables": {"upcs": ["table", "lamp"]}}
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json=body, headers={"accept": PARTS})
    assert response.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    found = [part["payload"]["data"]["priceChanged"]["price"] for part in parts(response.text)]
    assert found == [899, 6999]


@pytest.mark.parametrize(
    ("accept", "kind"), [(PARTS, "multipart/mixed"), (f"application/json, {EVENTS}", "text/event-stream")]
)
async def test_only_a_subscription_is_streamed_when_one_value_is_accepted_too(accept, kind):
    async with http(IN_PROCESS) as client:
        query = await client.post("/graphql", json={"query": "{ me { name } }"}, headers={"accept": accept})
        body = {"query": PRICES, "variables": {"upcs": []}}
        subscription = await client.post("/graphql", json=body, headers={"accept": accept})
    assert query.headers["content-type"] == "application/json; charset=utf-8"
    assert query.json() == {"data": {"me": {"name": "Ada"}}}
    assert subscription.headers["content-type"].startswith(kind)


async def test_a_faulty_subscription_in_parts_is_refused_before_anything_is_sent():
    body = {"query": "subscription { no }"}
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json=body, headers={"accept": PARTS})
    assert response.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_an_idle_stream_of_parts_gets_empty_ones():
    kit = IN_PROCESS.with_settings(subscriptions={"heartbeat": "50ms"})
    body = {"query": PRICES, "variables": {"upcs": ["wait"]}}
    async with asyncio.timeout(5), http(kit) as client:
        request = client.build_request("POST", "/graphql", json=body, headers={"accept": PARTS})
        found = await client.send(request, stream=True)
        text = ""
        async for chunk in found.aiter_text():
            text += chunk
            if "\r\n{}\r\n--graphql" in text:
                break
        await found.aclose()


async def test_a_client_has_no_more_streams_than_allowed_and_its_neighbour_has_its_own():
    async def follow(client: httpx.AsyncClient, name: str) -> httpx.Response:
        body = {"query": PRICES, "variables": {"upcs": ["wait"]}}
        request = client.build_request("POST", "/graphql", json=body, headers={"accept": EVENTS, "x-name": name})
        return await client.send(request, stream=True)

    kit = IN_PROCESS.with_settings(subscriptions={"max_per_client": 1})
    async with http(kit.with_identity(lambda headers: Principal(headers["x-name"]))) as client:
        first, second, other = [await follow(client, name) for name in ("ada", "ada", "bo")]
        assert [found.status_code for found in (first, second, other)] == [200, 503, 200]
        error = json.loads(await second.aread())["errors"][0]
        assert "subscriptions.max_per_client is 1" in error["message"]
        told = {"code": "LIMIT_EXCEEDED", "limit": "subscriptions.max_per_client", "most": 1}
        assert error["extensions"] == told
        for found in (first, second, other):
            await found.aclose()


async def reserve(client: httpx.AsyncClient, **headers: str) -> str:
    response = await client.put("/graphql", headers=headers)
    assert response.status_code == 201
    assert re.fullmatch(r"[\w-]{20,}", response.text)
    return response.text


async def messages(stream: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    event = ""
    async for line in stream.aiter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))


def operation(identifier: Any, query: str, **variables: Any) -> dict[str, Any]:
    return {"query": query, "variables": variables, "extensions": {"operationId": identifier}}


async def test_one_event_stream_carries_several_operations():
    async with asyncio.timeout(10), http(IN_PROCESS) as client:
        token = {TOKEN: await reserve(client)}
        headers = {**token, "accept": EVENTS}
        async with client.stream("GET", "/graphql", headers=headers) as stream:
            found = messages(stream)
            started = await client.post("/graphql", json=operation("long", PRICES, upcs=["wait"]), headers=token)
            assert (started.status_code, started.content) == (202, b"")
            await client.post("/graphql", json=operation("short", PRICES, upcs=["table"]), headers=token)
            event, data = await anext(found)
            assert (event, data["id"]) == ("next", "short")
            assert data["payload"]["data"]["priceChanged"]["price"] == 899
            assert await anext(found) == ("complete", {"id": "short"})
            again = await client.post("/graphql", json=operation("long", PRICES, upcs=[]), headers=token)
            assert again.status_code == 409
            ended = await client.delete("/graphql?operationId=long", headers=token)
            assert ended.status_code == 200
            await client.post("/graphql", json=operation("long", "{ me { name } }"), headers=token)
            assert await anext(found) == ("next", {"id": "long", "payload": {"data": {"me": {"name": "Ada"}}}})
            second = await client.get("/graphql", headers=headers)
            assert second.status_code == 409


async def test_a_browser_may_give_the_token_in_the_address():
    async with asyncio.timeout(10), http(IN_PROCESS) as client:
        token = await reserve(client)
        await client.post("/graphql", json=operation("1", "{ me { name } }"), headers={TOKEN: token})
        async with client.stream("GET", f"/graphql?token={token}", headers={"accept": EVENTS}) as stream:
            assert (await anext(messages(stream)))[1]["payload"] == {"data": {"me": {"name": "Ada"}}}


async def test_a_fault_that_is_known_at_once_is_the_answer_to_the_operation():
    async with http(IN_PROCESS) as client:
        token = {TOKEN: await reserve(client), "accept": "application/graphql-response+json"}
        faulty = await client.post("/graphql", json=operation("1", "{ no }"), headers=token)
        nameless = await client.post("/graphql", json={"query": "{ me { name } }"}, headers=token)
        numbered = await client.post("/graphql", json=operation(1, "{ me { name } }"), headers=token)
        undirected = await client.delete("/graphql", headers=token)
    assert faulty.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert {faulty.status_code, nameless.status_code, numbered.status_code, undirected.status_code} == {400}


async def test_a_fault_that_shows_later_comes_on_the_stream():
    async with asyncio.timeout(10), http(IN_PROCESS) as client:
        token = {TOKEN: await reserve(client)}
        query = "query($x: Int!) { products(first: $x) { upc } }"
        async with client.stream("GET", "/graphql", headers={**token, "accept": EVENTS}) as stream:
            found = messages(stream)
            await client.post("/graphql", json=operation("1", query), headers=token)
            event, data = await anext(found)
            assert (event, data["id"]) == ("next", "1")
            assert data["payload"]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
            assert "data" not in data["payload"]
            assert await anext(found) == ("complete", {"id": "1"})


async def test_a_token_is_of_no_use_to_somebody_else():
    kit = IN_PROCESS.with_identity(lambda headers: Principal(headers.get("x-name")))
    async with http(kit) as client:
        token = {TOKEN: await reserve(client, **{"x-name": "ada"})}
        stolen = await client.get("/graphql", headers={**token, "x-name": "bo", "accept": EVENTS})
        assert stolen.status_code == 404


async def test_a_token_lapses_when_its_stream_is_not_opened_soon():
    async with http(IN_PROCESS.with_settings(subscriptions={"init_timeout": "20ms", "max_total": 1})) as client:
        token = {TOKEN: await reserve(client)}
        for _ in range(1000):
            if (await client.put("/graphql")).status_code == 201:
                break
        late = await client.post("/graphql", json=operation("1", "{ me { name } }"), headers=token)
        assert late.status_code == 404


async def test_shared_event_streams_can_be_switched_off():
    async with http(IN_PROCESS.with_settings(subscriptions={"shared_event_streams": False})) as client:
        assert (await client.put("/graphql")).status_code == 405
        asked = await client.post("/graphql", json=operation("1", "{ me { name } }"), headers={TOKEN: "x"})
        assert asked.status_code == 400


async def test_other_methods_are_refused():
    async with http(IN_PROCESS) as client:
        assert (await client.delete("/graphql")).status_code == 405
        assert (await client.patch("/graphql")).status_code == 405
