"""Requests to subgraphs that fail: tried again, left alone, and ended in time. Real servers on loopback."""

from __future__ import annotations

import asyncio
import json

from tests.e2e.gateway.test_gateway import SHOP, http
from tests.support.testkit import TestGateway, TestSubgraphs

ME = {"query": "{ me { name } }"}
ANSWER = {"data": {"me": {"name": "Ada"}}}
CHANGE = {"query": 'mutation { addReview(input: {body: "b", product: "lamp"}) { id } }'}


class Flaky:
    """Answers some requests with a status instead of the subgraph, and counts them all."""

    def __init__(self, name: str, failures: int, status: int = 503) -> None:
        self.name = name
        self.left = failures
        self.status = status
        self.seen = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await SHOP.apps[self.name](scope, receive, send)
            return
        self.seen += 1
        if self.left == 0:
            await SHOP.apps[self.name](scope, receive, send)
            return
        self.left -= 1
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"retry-after", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def kit(flaky, **traffic) -> TestGateway:
    subgraphs = TestSubgraphs(SHOP.sdl, {**SHOP.apps, flaky.name: flaky})
    return TestGateway(subgraphs, behind_sockets=True).with_settings(traffic=traffic)


async def test_a_query_is_tried_again_and_a_mutation_is_not():
    accounts, reviews = Flaky("accounts", 1), Flaky("reviews", 1)
    async with http(kit(accounts)) as client:
        assert (await client.post("/graphql", json=ME)).json() == ANSWER
    assert accounts.seen == 2
    async with http(kit(reviews)) as client:
        answer = (await client.post("/graphql", json=CHANGE)).json()
        assert answer["errors"][0]["extensions"]["code"] == "SUBGRAPH_BAD_STATUS"
        assert (await client.post("/graphql", json=CHANGE)).json() == {"data": {"addReview": {"id": "new"}}}
    assert reviews.seen == 2


async def test_a_subgraph_that_always_fails_is_left_alone_and_the_others_answer():
    accounts = Flaky("accounts", -1, 500)
    circuit = {"min_requests": 5, "open_for": "1h"}
    async with http(kit(accounts, circuit=circuit)) as client:
        for _ in range(5):
            answer = (await client.post("/graphql", json=ME)).json()
            assert answer["errors"][0]["extensions"]["code"] == "SUBGRAPH_BAD_STATUS"
        both = (await client.post("/graphql", json={"query": "{ me { name } products(first: 1) { upc } }"})).json()
    assert accounts.seen == 5
    assert both["data"] == {"me": None, "products": [{"upc": "table"}]}
    extensions = both["errors"][0]["extensions"]
    assert extensions == {"code": "CIRCUIT_OPEN", "subgraph": "accounts", "retryable": True}


async def test_an_operation_has_one_time_for_all_its_fetches():
    class Slow(Flaky):
        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                await asyncio.Event().wait()

    async with http(kit(Slow("reviews", 0), operation_timeout="200ms", timeout="1m")) as client:
        answer = json.loads((await client.post("/graphql", json={"query": "{ me { name reviews { id } } }"})).text)
    assert answer["errors"][0]["extensions"]["code"] == "SUBGRAPH_TIMEOUT"
