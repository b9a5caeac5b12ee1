"""Deferred fragments over HTTP, in the two formats that clients ask for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.gateway.test_gateway import IN_PROCESS, http
from tests.e2e.gateway.test_streams import parts
from tests.support.testkit import TestGateway, TestSubgraphs

PRESENT = "multipart/mixed;incrementalSpec=v0.2, application/json"
OLDER = "multipart/mixed;deferSpec=20220824, application/json"
QUERY = """
query Q($later: Boolean! = true) {
  me { name ... @defer(label: "mine", if: $later) { reviews { body } } }
}
"""
FIRST = {"data": {"me": {"name": "Ada"}}}
PENDING = {"id": "0", "path": ["me"], "label": "mine"}
REVIEWS = {"reviews": [{"body": "sturdy"}, {"body": "bright"}]}


async def answer(query: str, accept: str, kit: TestGateway = IN_PROCESS, **variables: Any) -> tuple[str, list[Any]]:
    async with http(kit) as client:
        body = {"query": query, "variables": variables}
        response = await client.post("/graphql", json=body, headers={"accept": accept})
    return response.headers["content-type"], parts(response.text)


@pytest.mark.parametrize("accept", [PRESENT, "multipart/mixed"])
async def test_the_present_format_announces_fills_and_completes(accept):
    content_type, found = await answer(QUERY, accept)
    assert content_type == 'multipart/mixed;boundary="graphql";incrementalSpec=v0.2'
    assert found == [
        {**FIRST, "pending": [PENDING], "hasNext": True},
        {
            "incremental": [{"id": "0", "data": REVIEWS}],
            "completed": [{"id": "0"}],
            "hasNext": True,
        },
        {"hasNext": False},
    ]


async def test_the_older_format_names_path_and_label():
    content_type, found = await answer(QUERY, OLDER)
    assert content_type == 'multipart/mixed;boundary="graphql";deferSpec=20220824'
    assert found == [
        {**FIRST, "hasNext": True},
        {"incremental": [{"data": REVIEWS, "path": ["me"], "label": "mine"}], "hasNext": True},
        {"hasNext": False},
    ]


async def test_a_fragment_in_a_list_adds_to_each_object():
    query = "{ products(first: 2) { upc ... @defer { reviews { body } } } }"
    _, found = await answer(query, PRESENT)
    assert found[0]["pending"] == [{"id": "0", "path": ["products", 0]}, {"id": "1", "path": ["products", 1]}]
    assert found[1]["incremental"][1] == {"id": "1", "data": {"reviews": [{"body": "wobbly"}]}}
    assert found[1]["completed"] == [{"id": "0"}, {"id": "1"}]


@pytest.mark.parametrize("accept", [PRESENT, OLDER])
async def test_a_fragment_that_fails_says_so_and_leaves_the_first_answer(accept):
    down = TestGateway(TestSubgraphs.shop().without("reviews"))
    _, found = await answer(QUERY, accept, down)
    assert found[0]["data"] == FIRST["data"]
    assert "errors" not in found[0]
    told = found[1]["completed"] if accept is PRESENT else found[1]["incremental"]
    assert told[0]["errors"][0]["extensions"]["subgraph"] == "reviews"
    assert "incremental" not in found[1] or accept is OLDER


@pytest.mark.parametrize(
    ("accept", "variables"),
    [
        pytest.param("application/json", {}, id="a client that takes one value only"),
        pytest.param(PRESENT, {"later": False}, id="deferring switched off"),
    ],
)
async def test_without_parts_everything_comes_at_once(accept, variables):
    async with http(IN_PROCESS) as client:
        body = {"query": QUERY, "variables": variables}
        response = await client.post("/graphql", json=body, headers={"accept": accept})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"data": {"me": {"name": "Ada", **REVIEWS}}}


@pytest.mark.parametrize("accept", [PRESENT, OLDER])
@pytest.mark.parametrize(
    ("query", "data"),
    [
        pytest.param(
            "{ products(first: 0) { upc ... @defer { reviews { body } } } }", {"products": []}, id="an empty list"
        ),
        pytest.param(
            "{ products(first: 0) { upc ... @defer { price ... @defer { reviews { body } } } } }",
            {"products": []},
            id="one fragment in the other",
        ),
    ],
)
async def test_fragments_that_add_to_nothing_leave_one_value(query, data, accept):
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json={"query": query}, headers={"accept": accept})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"data": data}


@pytest.mark.parametrize(
    ("accept", "part"),
    [
        ("multipart/mixed", {"data": {"me": {"name": "Ada"}}, "hasNext": False}),
        ("multipart/mixed;incrementalSpec=v0.2", {"data": {"me": {"name": "Ada"}}, "hasNext": False}),
        ("multipart/mixed;deferSpec=20220824", {"data": {"me": {"name": "Ada"}}, "hasNext": False}),
        ("multipart/mixed;subscriptionSpec=1.0", {"payload": {"data": {"me": {"name": "Ada"}}}}),
    ],
)
async def test_a_client_that_takes_nothing_but_parts_gets_one_value_as_the_only_part(accept, part):
    content_type, found = await answer("{ me { name } }", accept)
    assert content_type.startswith("multipart/mixed")
    assert found == [part]


async def test_nothing_pending_is_one_part_for_a_client_that_takes_nothing_but_parts():
    _, found = await answer("{ products(first: 0) { upc ... @defer { reviews { body } } } }", "multipart/mixed")
    assert found == [{"data": {"products": []}, "hasNext": False}]


async def test_a_fault_is_told_as_json_whatever_the_client_takes():
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json={"query": "{ no }"}, headers={"accept": "multipart/mixed"})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_what_is_refused_before_the_first_answer_is_one_value():
    async with http(IN_PROCESS) as client:
        query = "query($n: Int!) { products(first: $n) { upc ... @defer { reviews { body } } } }"
        response = await client.post("/graphql", json={"query": query}, headers={"accept": PRESENT})
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert response.json().keys() == {"errors"}


async def test_a_batch_is_answered_at_once_whatever_else_the_client_takes():
    async with http(IN_PROCESS.with_settings(limits={"max_batch": 2})) as client:
        response = await client.post("/graphql", json=[{"query": QUERY}], headers={"accept": PRESENT})
    assert response.json() == [{"data": {"me": {"name": "Ada", **REVIEWS}}}]


async def test_the_first_answer_does_not_wait_for_what_is_deferred():
    held = asyncio.Event()
    shop = TestSubgraphs.shop()
    reviews = shop.apps["reviews"]

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await held.wait()
        await reviews(scope, receive, send)

    kit = TestGateway(TestSubgraphs(shop.sdl, {**shop.apps, "reviews": slow}))
    async with asyncio.timeout(10), http(kit) as client:
        request = client.build_request("POST", "/graphql", json={"query": QUERY}, headers={"accept": PRESENT})
        response = await client.send(request, stream=True)
        text = ""
        async for chunk in response.aiter_text():
            text += chunk
            if not held.is_set() and text.count("--graphql") == 2:
                assert json.loads(text.split("\r\n\r\n")[1].partition("\r\n")[0])["data"] == FIRST["data"]
                held.set()
        await response.aclose()
    assert parts(text)[1]["incremental"][0]["data"] == REVIEWS
