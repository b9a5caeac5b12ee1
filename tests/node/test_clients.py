"""The npm clients that people use, each against a served gateway."""

from __future__ import annotations

import json

import pytest

from tests.e2e.gateway.test_gateway import IN_PROCESS
from tests.support.node import needs_node, run_node

QUERY = "query N { me { name } }"
SUBSCRIPTION = "subscription N($upcs: [ID!]!) { priceChanged(upcs: $upcs) { upc price reviews { body } } }"
UPCS = ["chair", "table"]
CLIENTS = [
    "graphql-ws",
    "graphql-sse, distinct connections",
    "graphql-sse, single connection",
    "subscriptions-transport-ws",
    "@apollo/client",
    "@urql/core",
    "relay-runtime",
]


@needs_node
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_asks_and_follows_a_subscription(client):
    async with IN_PROCESS.serve() as address:
        arguments = (f"{address}/graphql", QUERY, SUBSCRIPTION, json.dumps({"upcs": UPCS}))
        found = await run_node("clients.mjs", client, *arguments)
    assert found["answer"]["data"]["me"]["name"] == "Ada"
    events = [event["data"]["priceChanged"] for event in found["events"]]
    assert [(event["upc"], event["price"]) for event in events] == [("chair", 499), ("table", 899)]
    assert events[0]["reviews"][0]["body"] == "wobbly"


DEFERRING = 'query N { me { name ... @defer(label: "mine") { reviews { body } } } }'


@needs_node
@pytest.mark.parametrize("client", ["@apollo/client, present format", "@apollo/client, older format", "@urql/core"])
async def test_a_client_shows_the_first_answer_and_then_what_was_deferred(client):
    async with IN_PROCESS.serve() as address:
        seen = await run_node("clients.mjs", client, f"{address}/graphql", DEFERRING)
    assert seen[0]["me"]["name"] == "Ada"
    assert "reviews" not in seen[0]["me"]
    assert [review["body"] for review in seen[-1]["me"]["reviews"]] == ["sturdy", "bright"]
