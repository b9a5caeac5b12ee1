"""Streamed lists over HTTP, in the two formats that clients ask for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.gateway.test_defer import OLDER, PRESENT, answer
from tests.e2e.gateway.test_gateway import IN_PROCESS, http
from tests.support.testkit import TestGateway, TestSubgraphs

QUERY = """
query Q($count: Int! = 1) {
  me { reviews @stream(initialCount: $count, label: "more") { product { price } } }
}
"""
FIRST = {"data": {"me": {"reviews": [{"product": {"price": 899}}]}}}
MORE = [{"product": {"price": 6999}}]


async def test_the_present_format_announces_fills_and_completes_a_list():
    content_type, found = await answer(QUERY, PRESENT)
    assert content_type == 'multipart/mixed;boundary="graphql";incrementalSpec=v0.2'
    assert found == [
        {**FIRST, "pending": [{"id": "0", "path": ["me", "reviews"], "label": "more"}], "hasNext": True},
        {
            "incremental": [{"id": "0", "items": MORE}],
            "completed": [{"id": "0"}],
            "hasNext": True,
        },
        {"hasNext": False},
    ]


async def test_the_older_format_names_the_index_of_the_first_later_item():
    _, found = await answer(QUERY, OLDER)
    assert found == [
        {**FIRST, "hasNext": True},
        {"incremental": [{"items": MORE, "path": ["me", "reviews", 1], "label": "more"}], "hasNext": True},
        {"hasNext": False},
    ]


@pytest.mark.parametrize("accept", [PRESENT, OLDER])
async def test_items_that_cannot_be_had_end_the_list(accept: str):
    query = "{ me { reviews @stream(initialCount: 0) { product { price } } } }"
    _, found = await answer(query, accept, TestGateway(TestSubgraphs.shop().without("catalog")))
    assert found[0]["data"] == {"me": {"reviews": []}}
    told = found[1]["completed"][0] if accept is PRESENT else found[1]["incremental"][0]
    assert told["errors"][0]["extensions"]["subgraph"] == "catalog"
    assert accept is PRESENT or (told["items"], told["path"]) == (None, ["me", "reviews", 0])
    assert accept is OLDER or "incremental" not in found[1]


@pytest.mark.parametrize(
    ("accept", "variables"),
    [
        pytest.param("application/json", {}, id="a client that takes one value only"),
        pytest.param("multipart/mixed;subscriptionSpec=1.0, application/json", {}, id="a client of another multipart"),
    ],
)
async def test_who_takes_no_parts_gets_the_whole_list(accept: str, variables: dict[str, Any]):
    async with http(IN_PROCESS) as client:
        body = {"query": QUERY, "variables": variables}
        response = await client.post("/graphql", json=body, headers={"accept": accept})
    assert response.json() == {"data": {"me": {"reviews": [*FIRST["data"]["me"]["reviews"], *MORE]}}}


async def test_each_client_gets_as_many_first_items_as_it_says():
    _, none = await answer(QUERY, PRESENT, count=0)
    assert none[0]["data"] == {"me": {"reviews": []}}
    assert len(none[1]["incremental"][0]["items"]) == 2


async def test_a_list_without_later_items_is_answered_at_once():
    async with http(IN_PROCESS) as client:
        body = {"query": QUERY, "variables": {"count": 5}}
        response = await client.post("/graphql", json=body, headers={"accept": PRESENT})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert len(response.json()["data"]["me"]["reviews"]) == 2


async def test_a_negative_count_is_refused():
    async with http(IN_PROCESS) as client:
        body = {"query": QUERY, "variables": {"count": -1}}
        response = await client.post(
            "/graphql", json=body, headers={"accept": "multipart/mixed, application/graphql-response+json"}
        )
    assert response.status_code == 400
    assert "cannot be negative" in response.json()["errors"][0]["message"]


async def test_a_count_that_is_no_number_is_refused_like_any_variable():
    async with http(IN_PROCESS) as client:
        body = {"query": QUERY, "variables": {"count": True}}
        response = await client.post("/graphql", json=body, headers={"accept": PRESENT})
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("accept", [PRESENT, "application/json"])
async def test_the_schema_is_told_at_once_whatever_is_to_come_later(accept: str):
    query = (
        '{ __type(name: "Query") { fields @stream { name } ... @defer { kind } ...T } } fragment T on __Type { name }'
    )
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json={"query": query}, headers={"accept": accept})
    told = response.json()["data"]["__type"]
    assert (told["kind"], told["name"]) == ("OBJECT", "Query")
    assert {"name": "me"} in told["fields"]
