"""Costs, rate limits and overload as clients meet them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import ConfigError
from tests.e2e.gateway.test_gateway import IN_PROCESS, SHOP, http
from tests.support.testkit import TestGateway, TestSubgraphs

ME = {"query": "{ me { name } }"}
ANSWER = {"data": {"me": {"name": "Ada"}}}


def extensions(response) -> dict:
    return response.json()["errors"][0]["extensions"]


async def test_an_operation_that_may_cost_too_much_is_refused_and_a_smaller_one_tells_its_cost():
    demand = {"mode": "enforce", "max_cost": 12, "default_list_size": 10, "report": True}
    async with http(IN_PROCESS.with_settings(demand=demand)) as client:
        refused = await client.post("/graphql", json={"query": "{ products { reviews { id } } }"})
        allowed = await client.post("/graphql", json={"query": "{ products { upc } me { name } }"})
    assert refused.status_code == 400
    assert extensions(refused) == {"code": "COST_EXCEEDED", "cost": 110, "most": 12}
    assert len(allowed.json()["data"]["products"]) == 3
    assert allowed.json()["extensions"] == {"cost": {"estimated": 11, "actual": 4, "max": 12}}


async def test_a_used_up_allowance_is_answered_with_429_and_when_to_try_again():
    rules = [{"name": "changes", "amount": 1, "window": "1h", "fields": ["Mutation.addReview"], "per": "address"}]
    change = {"query": 'mutation { addReview(input: {body: "b", product: "lamp"}) { id } }'}
    async with http(IN_PROCESS.with_settings(rates={"rules": rules})) as client:
        allowed = await client.post("/graphql", json=change)
        refused = await client.post("/graphql", json=change)
        streamed = await client.post("/graphql", json=change, headers={"accept": "text/event-stream"})
        neighbour = await client.post("/graphql", json=ME)
    assert allowed.json() == {"data": {"addReview": {"id": "new"}}}
    assert refused.status_code == 429
    assert 3590 <= int(refused.headers["retry-after"]) <= 3600
    assert extensions(refused)["code"] == "RATE_LIMITED"
    assert (extensions(refused)["limit"], extensions(refused)["retryable"]) == ("changes", True)
    assert "RATE_LIMITED" in streamed.text
    assert neighbour.json() == ANSWER


async def test_more_than_the_gateway_can_do_is_refused_at_once_and_the_rest_is_answered():
    held, started = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send):
        started.set()
        await held.wait()
        await SHOP.apps["accounts"](scope, receive, send)

    subgraphs = TestSubgraphs(SHOP.sdl, {**SHOP.apps, "accounts": slow})
    kit = TestGateway(subgraphs).with_settings(load={"max_running": 1, "max_waiting": 0})
    async with http(kit) as client:
        first = asyncio.get_running_loop().create_task(client.post("/graphql", json=ME))
        await started.wait()
        refused = await client.post("/graphql", json={"query": "{ products { upc } }"})
        held.set()
        assert (await first).json() == ANSWER
        assert "data" in (await client.post("/graphql", json=ME)).json()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert extensions(refused) == {"code": "OVERLOADED", "retryable": True}


async def test_an_allowance_for_a_field_that_is_not_there_is_refused_at_start():
    rules = [{"name": "changes", "amount": 1, "fields": ["Mutation.addReviews"]}]
    message = r"rates\.rules\.0\.fields: Mutation\.addReviews is no root field .* it has Mutation\.addReview"
    with pytest.raises(ConfigError, match=message):
        async with IN_PROCESS.with_settings(rates={"rules": rules}).build():
            pass
