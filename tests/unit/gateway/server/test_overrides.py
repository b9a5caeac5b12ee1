"""Progressive overrides: which labels are on, and that requests follow them."""

from __future__ import annotations

import pytest

from gateway.planner import Planner
from gateway.server.overrides import OverrideLabels
from gateway.server.pipeline import Pipeline
from gateway.server.request import GraphQLRequest, RequestContext
from tests.support.fake_transport import FakeTransport
from tests.support.graphs import supergraph_of

SUPERGRAPH = supergraph_of(
    legacy='type Query { item: Item } type Item @key(fields: "id") { id: ID! price: Int stock: Int name: String }',
    modern="""
      type Item @key(fields: "id") {
        id: ID!
        price: Int @override(from: "legacy", label: "percent(20)")
        stock: Int @override(from: "legacy", label: "percent(60)")
        name: String @override(from: "legacy", label: "catalog.beta")
      }
    """,
)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (0.1, {"percent(20)", "percent(60)"}),
        (0.2, {"percent(60)"}),
        (0.59, {"percent(60)"}),
        (0.6, set()),
        (0.99, set()),
    ],
)
def test_a_share_is_on_for_what_is_drawn_below_it(drawn: float, expected: set[str]) -> None:
    assert OverrideLabels(SUPERGRAPH, draw=lambda: drawn).active() == expected


def test_other_labels_are_on_when_they_are_named() -> None:
    labels = OverrideLabels(SUPERGRAPH, ["catalog.beta", "not.there"], draw=lambda: 0.99)

    assert labels.active() == {"catalog.beta"}


def test_a_graph_without_shares_draws_nothing() -> None:
    def fail() -> float:
        raise AssertionError

    plain = supergraph_of(a="type Query { a: Int }")
    assert OverrideLabels(plain, draw=fail).active() == frozenset()


async def test_a_request_is_answered_by_the_subgraph_that_its_draw_chose() -> None:
    draws = iter([0.1, 0.9, 0.1])
    legacy = FakeTransport(lambda _: {"data": {"item": {"__typename": "Item", "id": "1", "price": 1}}})
    modern = FakeTransport(lambda _: {"data": {"_entities": [{"price": 2}]}})
    pipeline = Pipeline(
        SUPERGRAPH,
        Planner(SUPERGRAPH),
        {"legacy": legacy, "modern": modern},
        overrides=OverrideLabels(SUPERGRAPH, draw=lambda: next(draws)),
    )

    answers = [await pipeline.execute(GraphQLRequest("{ item { price } }"), RequestContext()) for _ in range(3)]

    assert [answer.data for answer in answers] == [{"item": {"price": price}} for price in (2, 1, 2)]
    assert pipeline.cached_plans == 2
