"""A gateway over three strawberry subgraphs, in this process and behind sockets, driven by clients that people use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.errors import ErrorCode, RequestError
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import RequestContext
from tests.support.testkit import TestGateway, TestSubgraphs

SHOP = TestSubgraphs.shop()
IN_PROCESS = TestGateway(SHOP)
BOTH_WAYS = pytest.mark.parametrize(
    "kit", [IN_PROCESS, TestGateway(SHOP, behind_sockets=True)], ids=["in process", "sockets"]
)

ACROSS = """
query Across($first: Int!, $withPrice: Boolean = true) {
  me { name reviews { body product { upc price @include(if: $withPrice) } } }
  products(first: $first) { upc reviews { author { name } } }
}
"""
ACROSS_ANSWER = {
    "me": {
        "name": "Ada",
        "reviews": [
            {"body": "sturdy", "product": {"upc": "table", "price": 899}},
            {"body": "bright", "product": {"upc": "lamp", "price": 6999}},
        ],
    },
    "products": [
        {"upc": "table", "reviews": [{"author": {"name": "Ada"}}, {"author": {"name": "Cy"}}]},
        {"upc": "chair", "reviews": [{"author": {"name": "Bo"}}]},
    ],
}
PRICES = (
    "subscription Prices($upcs: [ID!]!) { priceChanged(upcs: $upcs) { upc price reviews { body author { name } } } }"
)


@asynccontextmanager
async def http(kit: TestGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with kit.serve() as address, httpx.AsyncClient(base_url=address, timeout=5) as client:
        yield client


@BOTH_WAYS
async def test_gql_over_httpx_gets_one_answer_from_three_subgraphs(kit):
    async with kit.serve() as address:
        transport = HTTPXAsyncTransport(url=f"{address}/graphql", timeout=5)
        async with Client(transport=transport, fetch_schema_from_transport=True) as session:
            request = gql(ACROSS)
            request.variable_values = {"first": 2}
            assert await session.execute(request) == ACROSS_ANSWER


@BOTH_WAYS
async def test_gql_over_websockets_follows_a_subscription_completed_by_other_subgraphs(kit):
    async with kit.serve() as address:
        transport = WebsocketsTransport(url=f"{address.replace('http', 'ws')}/graphql")
        async with Client(transport=transport) as session:
            request = gql(PRICES)
            request.variable_values = {"upcs": ["table", "chair"]}
            events = [event["priceChanged"] async for event in session.subscribe(request)]
    assert [event["price"] for event in events] == [899, 499]
    assert events[1]["reviews"] == [{"body": "wobbly", "author": {"name": "Bo"}}]


@BOTH_WAYS
async def test_gql_over_websockets_may_also_ask_and_change(kit):
    async with kit.serve() as address:
        transport = WebsocketsTransport(url=f"{address.replace('http', 'ws')}/graphql")
        async with Client(transport=transport) as session:
            assert (await session.execute(gql("{ me { name } }"))) == {"me": {"name": "Ada"}}
            change = gql(
                'mutation { addReview(input: {body: "new", product: "lamp"}) { author { name } product { price } } }'
            )
            found = await session.execute(change)
            assert found == {"addReview": {"author": {"name": "Bo"}, "product": {"price": 6999}}}
            with pytest.raises(TransportQueryError):
                await session.execute(gql("{ nothing }"))


@BOTH_WAYS
async def test_server_sent_events_carry_the_same_subscription(kit):
    async with http(kit) as client:
        body = {"query": PRICES, "variables": {"upcs": ["table", "lamp"]}}
        response = await client.post("/graphql", json=body, headers={"accept": "text/event-stream"})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in response.text.strip().split("\n\n")]
    assert [lines[0] for lines in events] == ["event: next", "event: next", "event: complete"]
    assert json.loads(events[1][1].removeprefix("data: "))["data"]["priceChanged"]["price"] == 6999


@BOTH_WAYS
async def test_an_error_of_a_subgraph_keeps_its_extensions_and_names_the_subgraph(kit):
    async with kit.build() as gateway:
        answer = (await gateway.execute("{ products(first: 2) { upc hidden: secret } }")).to_dict()
    assert answer["data"] == {"products": [{"upc": "table", "hidden": None}, {"upc": "chair", "hidden": None}]}
    assert [error["path"] for error in answer["errors"]] == [["products", 0, "hidden"], ["products", 1, "hidden"]]
    extensions = answer["errors"][0]["extensions"]
    assert extensions == {"code": "WMS_CLOSED", "system": "wms", "retryable": True, "subgraph": "catalog"}


@BOTH_WAYS
async def test_a_subgraph_that_is_down_costs_its_fields_alone(kit):
    down = TestGateway(SHOP.without("reviews"), behind_sockets=kit.behind_sockets)
    async with down.build() as gateway:
        answer = (await gateway.execute("{ me { name } products(first: 1) { price } all: reviews { body } }")).to_dict()
        nested = (await gateway.execute("{ users { name reviews { body } } }")).to_dict()
    assert answer["data"] is None
    assert {error["extensions"]["subgraph"] for error in answer["errors"]} == {"reviews"}
    assert nested["errors"][0]["path"] == ["users"]
    assert len(nested["errors"]) == 1


@BOTH_WAYS
async def test_only_named_headers_reach_the_subgraphs(kit):
    query = '{ given: header(name: "authorization") other: header(name: "x-other") }'
    headers = {"authorization": "Bearer x", "x-other": "y"}
    async with http(kit.with_settings(headers={"propagate": ["Authorization"]})) as client:
        assert (await client.post("/graphql", json={"query": query}, headers=headers)).json() == {
            "data": {"given": "Bearer x", "other": None}
        }
    async with http(kit) as client:
        assert (await client.post("/graphql", json={"query": query}, headers=headers)).json() == {
            "data": {"given": None, "other": None}
        }


@BOTH_WAYS
async def test_a_subscription_that_fails_ends_with_the_reason(kit):
    async with kit.build() as gateway:
        results = gateway.subscribe(PRICES, {"upcs": ["table", "fail"]})
        found = [result.to_dict() async for result in results]
    assert found[0]["data"]["priceChanged"]["price"] == 899
    assert found[1]["data"] is None
    assert found[1]["errors"][0]["extensions"]["code"] == "FEED"


def scoped(*scopes: str) -> RequestContext:
    return RequestContext(Principal("ada", frozenset(scopes)))


async def test_protected_fields_are_closed_to_strangers_and_open_to_those_who_may():
    async with IN_PROCESS.build() as gateway:
        stranger = (await gateway.execute("{ me { name mail: email } }")).to_dict()
        known = (await gateway.execute("{ me { name mail: email } }", context=scoped())).to_dict()
    assert stranger["data"] == {"me": {"name": "Ada", "mail": None}}
    assert stranger["errors"][0]["path"] == ["me", "mail"]
    assert stranger["errors"][0]["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
    assert known == {"data": {"me": {"name": "Ada", "mail": "ada@example.com"}}}


@pytest.mark.parametrize(
    ("context", "may"),
    [
        (RequestContext(ANONYMOUS), False),
        (scoped("other"), False),
        (scoped("salary:read"), True),
        (scoped("admin", "other"), True),
    ],
)
async def test_a_protected_field_that_is_never_null_refuses_the_request(context, may):
    async with IN_PROCESS.build() as gateway:
        answer = (await gateway.execute("{ me { salary } }", context=context)).to_dict()
    if may:
        assert answer == {"data": {"me": {"salary": 100}}}
    else:
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
        assert "data" not in answer


async def test_a_closed_field_alone_asks_no_more_than_needed():
    async with IN_PROCESS.build() as gateway:
        answer = (await gateway.execute("{ me { email } users { email name } }")).to_dict()
    assert answer["data"]["me"] == {"email": None}
    assert answer["data"]["users"][2] == {"name": "Cy", "email": None}
    assert len(answer["errors"]) == 4


async def test_the_development_principal_may_see_what_its_scopes_allow():
    identity = {"development_identity": {"subject": "dev", "scopes": ["admin"]}}
    async with http(IN_PROCESS.with_settings(identity=identity)) as client:
        found = (await client.post("/graphql", json={"query": "{ me { email salary } }"})).json()
    assert found == {"data": {"me": {"email": "ada@example.com", "salary": 100}}}


async def test_an_identity_that_refuses_ends_the_request():
    def refuse(headers):
        if headers.get("authorization") != "good":
            raise RequestError(ErrorCode.UNAUTHENTICATED, "the token is not valid", http_status=401)
        return Principal("ada")

    async with http(IN_PROCESS.with_identity(refuse)) as client:
        refused = await client.post("/graphql", json={"query": "{ me { name } }"})
        good = await client.post("/graphql", json={"query": "{ me { email } }"}, headers={"authorization": "good"})
        url = str(client.base_url).replace("http", "ws") + "/graphql"
        async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as socket:
            await socket.send('{"type":"connection_init","payload":{"authorization":"bad"}}')
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert refused.status_code == 401
    assert good.json() == {"data": {"me": {"email": "ada@example.com"}}}
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


async def test_an_operation_may_be_an_alias_of_everything_with_fragments():
    query = """
    query One { nobody: users { ...Who } }
    query Two { people: users { ...Who kind: __typename } __typename s: __schema { queryType { name } } }
    fragment Who on User { id called: name }
    """
    async with IN_PROCESS.build() as gateway:
        answer = (await gateway.execute(query, None, "Two")).to_dict()
    assert answer["data"]["people"][0] == {"id": "1", "called": "Ada", "kind": "User"}
    assert answer["data"]["__typename"] == "Query"
    assert answer["data"]["s"] == {"queryType": {"name": "Query"}}
    assert "errors" not in answer


async def test_identical_client_queries_in_flight_are_executed_once():
    kit = IN_PROCESS.with_settings(traffic={"share_client_requests": True})
    async with http(kit) as client:
        body = {"query": "{ users { name reviews { body } } }"}
        answers = await asyncio.gather(*(client.post("/graphql", json=body) for _ in range(8)))
        changed = await client.post(
            "/graphql", json={"query": 'mutation { addReview(input: {body: "b", product: "lamp"}) { body } }'}
        )
        wrong = await asyncio.gather(*(client.post("/graphql", json={"query": "{ nothing }"}) for _ in range(3)))
    assert len({answer.text for answer in answers}) == 1
    assert changed.json() == {"data": {"addReview": {"body": "b"}}}
    assert {answer.status_code for answer in wrong} == {200}
