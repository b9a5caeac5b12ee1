"""Answers in parts through the pipeline: switches, rights, and what cannot be answered so."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.errors import RequestError
from gateway.executor import DeferredResult, StreamedItems
from gateway.planner import Planner
from gateway.server.pipeline import Pipeline
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.supergraph import parse_supergraph
from tests.support.fake_transport import FakeTransport

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated"])\n'
SUPERGRAPH = parse_supergraph(
    compose_or_raise(
        [
            SubgraphSource(
                "orders",
                "",
                LINK + 'type Query { order: Order orders: [Order!] } type Order @key(fields: "id") { id: ID! } '
                "type Subscription { n: Int }",
            ),
            SubgraphSource(
                "stock", "", LINK + 'type Order @key(fields: "id") { id: ID! place: String margin: Int @authenticated }'
            ),
        ]
    ).supergraph
    or ""
)
SWITCHED = 'query($later: Boolean! = true) { order { id ... @defer(if: $later, label: "l") { place } } }'


def pipeline() -> Pipeline:
    transports = {
        "orders": FakeTransport(lambda _: {"data": {"order": {"__typename": "Order", "id": "1"}}}),
        "stock": FakeTransport(lambda _: {"data": {"_entities": [{"place": "A1"}]}}),
    }
    return Pipeline(SUPERGRAPH, Planner(SUPERGRAPH), transports)


async def answers(pipe: Pipeline, query: str, variables: dict[str, Any] | None = None) -> list[Any]:
    found: list[Any] = []
    async for result in pipe.deliver(GraphQLRequest(query, variables), RequestContext()):
        if isinstance(result, DeferredResult):
            found.append(
                [
                    (patch.path, patch.data, [one["extensions"]["code"] for one in patch.errors])
                    for patch in result.patches
                ]
            )
        else:
            found.append(result.data)
    return found


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (None, [{"order": {"id": "1"}}, [(("order",), {"place": "A1"}, [])]]),
        ({"later": True}, [{"order": {"id": "1"}}, [(("order",), {"place": "A1"}, [])]]),
        ({"later": False}, [{"order": {"id": "1", "place": "A1"}}]),
    ],
    ids=["default", "on", "off"],
)
async def test_a_variable_switches_deferring(variables: dict[str, Any] | None, expected: list[Any]) -> None:
    assert await answers(pipeline(), SWITCHED, variables) == expected


async def test_each_way_of_asking_has_its_own_plan() -> None:
    pipe = pipeline()
    await answers(pipe, SWITCHED, {"later": True})
    await answers(pipe, SWITCHED, {"later": False})
    whole = await pipe.execute(GraphQLRequest(SWITCHED), RequestContext())

    assert whole.data == {"order": {"id": "1", "place": "A1"}}
    assert pipe.cached_plans == 3


async def test_a_field_that_may_not_be_seen_is_refused_where_it_is_delivered() -> None:
    found = await answers(pipeline(), "{ order { id ... @defer { place margin } } }")

    assert found == [
        {"order": {"id": "1"}},
        [(("order",), {"place": "A1", "margin": None}, ["UNAUTHORIZED_FIELD_OR_TYPE"])],
    ]


async def test_a_subscription_is_not_answered_in_parts() -> None:
    with pytest.raises(RequestError, match="in parts"):
        await answers(pipeline(), "subscription { n }")


async def test_a_field_of_later_items_that_may_not_be_seen_is_null_with_an_error_in_each() -> None:
    orders = [{"__typename": "Order", "id": str(number)} for number in range(3)]
    transports = {"orders": FakeTransport(lambda _: {"data": {"orders": orders}}), "stock": FakeTransport()}
    query = "{ orders @stream(initialCount: 1) { id margin } }"

    pipe = Pipeline(SUPERGRAPH, Planner(SUPERGRAPH), transports)
    first, later = [result async for result in pipe.deliver(GraphQLRequest(query), RequestContext())]

    assert isinstance(later, DeferredResult)
    (items,) = later.patches
    assert isinstance(items, StreamedItems)
    assert first.data == {"orders": [{"id": "0", "margin": None}]}
    assert [error["path"] for error in first.errors] == [["orders", 0, "margin"]]
    assert items.items == [{"id": "1", "margin": None}, {"id": "2", "margin": None}]
    assert [error["path"] for error in items.errors] == [["orders", 1, "margin"], ["orders", 2, "margin"]]
