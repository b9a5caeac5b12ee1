"""Several requests in one array."""

from __future__ import annotations

import pytest

from tests.e2e.gateway.test_gateway import IN_PROCESS, http

BATCHES = IN_PROCESS.with_settings(limits={"max_batch": 3})
GOOD = {"query": "{ me { name } }"}
ANSWER = {"data": {"me": {"name": "Ada"}}}


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_a_batch_is_answered_in_its_order_and_each_request_fails_for_itself(accept):
    batch = [GOOD, {"query": "{ no }"}, {"query": "{ products(first: 1) { upc } }"}]
    async with http(BATCHES) as client:
        response = await client.post("/graphql", json=batch, headers={"accept": accept})
    first, second, third = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert first == ANSWER
    assert second["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "data" not in second
    assert third == {"data": {"products": [{"upc": "table"}]}}


async def test_a_request_in_a_batch_that_is_no_request_costs_the_others_nothing():
    async with http(BATCHES) as client:
        found = (await client.post("/graphql", json=[3, GOOD])).json()
    assert found[0]["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert found[1] == ANSWER


async def test_a_batch_with_a_mutation_runs_in_its_order():
    add = 'mutation { addReview(input: {body: "batched", product: "lamp"}) { body } }'
    async with http(BATCHES) as client:
        found = (await client.post("/graphql", json=[{"query": add}, GOOD])).json()
    assert found == [{"data": {"addReview": {"body": "batched"}}}, ANSWER]


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        pytest.param([], "BAD_REQUEST", id="empty"),
        pytest.param([GOOD] * 4, "LIMIT_EXCEEDED", id="one too many"),
    ],
)
async def test_a_batch_outside_its_bounds_is_refused(batch, code):
    async with http(BATCHES) as client:
        response = await client.post("/graphql", json=batch)
        good = await client.post("/graphql", json=[GOOD] * 3)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == code
    assert good.json() == [ANSWER] * 3


async def test_an_array_cut_off_is_a_bad_request():
    async with http(BATCHES) as client:
        response = await client.post("/graphql", content=b" [{", headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_batch_is_refused_unless_switched_on():
    async with http(IN_PROCESS) as client:
        assert (await client.post("/graphql", json=[GOOD])).status_code == 400


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "multipart/mixed", "multipart/mixed;subscriptionSpec=1.0, text/event-stream"]
)
async def test_a_client_that_takes_no_json_gets_no_batch(accept):
    async with http(BATCHES) as client:
        refused = await client.post("/graphql", json=[GOOD], headers={"accept": accept})
        taken = await client.post("/graphql", json=[GOOD], headers={"accept": f"{accept}, application/json;q=0.1"})
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (406, "NOT_ACCEPTABLE")
    assert taken.json() == [ANSWER]
