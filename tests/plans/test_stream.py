"""``@stream``: what the first items of a list wait for, and what only the later ones need."""

from __future__ import annotations

import json

import pytest

from gateway.errors import ErrorCode, RequestError
from gateway.operation import parse_operation
from gateway.operation.normalize import MAX_STREAMED_LISTS
from gateway.plan import QueryPlan, check_plan, from_json, to_json
from gateway.plan.print import path_text
from gateway.planner import Planner
from gateway.supergraph import Supergraph
from tests.plans.test_contexts import SALES
from tests.support.graphs import printed, supergraph_of
from tests.support.worlds import Monolith, ask_in_parts, compose_world, joined

GRAPH = {
    "orders": """
      type Query { orders: [Order!]! shop: Shop! }
      type Mutation { place: [Order!]! }
      type Subscription { placed: Order }
      type Order @key(fields: "id") { id: ID! tags: [String!] lines: [Line!]! }
      type Line { article: Article! }
      type Article @key(fields: "sku") { sku: ID! }
      type Shop { best: Article! }
    """,
    "catalog": """
      type Article @key(fields: "sku") { sku: ID! weight: Int }
      type Carrier @key(fields: "id") { id: ID! name: String }
    """,
    "tracking": """
      type Order @key(fields: "id") { id: ID! step: String carrier: Carrier }
      type Carrier @key(fields: "id") { id: ID! }
    """,
    "freight": """
      type Order @key(fields: "id") {
        id: ID!
        lines: [Line!]! @external
        cost: Int @requires(fields: "lines { article { weight } }")
      }
      type Line { article: Article! @external }
      type Article @key(fields: "sku") { sku: ID! weight: Int @external }
    """,
}


@pytest.fixture(scope="module")
def supergraph() -> Supergraph:
    return supergraph_of(**GRAPH)


def streamed(supergraph: Supergraph, operation: str, **given: bool | int) -> QueryPlan:
    plan = Planner(supergraph).plan(parse_operation(supergraph, operation, defers=given.get))
    check_plan(plan)
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    return plan


def places(plan: QueryPlan) -> list[str]:
    """Return one line per fetch: subgraph, where its entities are, and the fetches that it waits for."""
    return [
        " ".join(
            [
                str(fetch.subgraph),
                *(".".join(path_text(target.path)) for call in fetch.calls for target in call.targets),
                f"after {list(fetch.after)}",
            ]
        )
        for fetch in plan.fetches
    ]


def test_the_first_items_have_requests_apart_from_those_of_the_later_ones(supergraph: Supergraph) -> None:
    plan = streamed(supergraph, '{ orders @stream(initialCount: 2, label: "o") { carrier { name } } }')

    assert places(plan) == [
        "orders after []",
        "tracking orders.@[0:2] after [0]",
        "tracking orders.@[2:] after [0]",
        "catalog orders.@[0:2].carrier after [1]",
        "catalog orders.@[2:].carrier after [2]",
    ]
    assert [(part.label, part.parent, part.fetches) for part in plan.deferred] == [("o", None, (2, 4))]
    assert 'Streamed(label: "o") {' in printed(plan)


def test_without_first_items_nothing_is_asked_for_them(supergraph: Supergraph) -> None:
    plan = streamed(supergraph, "{ orders @stream { step } }")

    assert places(plan) == ["orders after []", "tracking orders.@[0:] after [0]"]
    assert plan.deferred[0].fetches == (1,)


def test_items_that_need_no_request_of_their_own_come_with_the_list(supergraph: Supergraph) -> None:
    plan = streamed(supergraph, "{ orders { tags @stream(initialCount: 1) } }")

    assert places(plan) == ["orders after []"]
    assert plan.deferred[0].fetches == ()


def test_lists_in_one_another_take_one_request_more_each(supergraph: Supergraph) -> None:
    lists = "orders @stream(initialCount: 1) { lines @stream(initialCount: 2) { article { weight } } }"
    plan = streamed(supergraph, f"{{ {lists} }}")

    assert places(plan) == [
        "orders after []",
        "catalog orders.@[0:1].lines.@[0:2].article after [0]",
        "catalog orders.@[1:].lines.@[0:2].article after [0]",
        "catalog orders.@.lines.@[2:].article after [0]",
    ]
    assert [(part.parent, part.fetches) for part in plan.deferred] == [(None, (2,)), (0, (3,))]


def test_a_place_outside_the_list_is_asked_about_with_the_first_items(supergraph: Supergraph) -> None:
    items = "orders @stream(initialCount: 1) { lines { article { weight } } }"
    plan = streamed(supergraph, f"{{ shop {{ best {{ weight }} }} {items} }}")

    assert places(plan)[1:] == [
        "catalog shop.best orders.@[0:1].lines.@.article after [0]",
        "catalog orders.@[1:].lines.@.article after [0]",
    ]


def test_what_a_field_around_the_list_requires_is_not_left_for_later(supergraph: Supergraph) -> None:
    lines = "lines @stream(initialCount: 1) { article { weight } }"
    plan = streamed(supergraph, f"{{ orders {{ cost {lines} }} }}")

    assert plan.deferred[0].fetches == ()
    assert "@[" not in " ".join(places(plan))


def test_a_fragment_in_the_items_comes_after_them(supergraph: Supergraph) -> None:
    plan = streamed(supergraph, "{ orders @stream(initialCount: 1) { step ... @defer { carrier { name } } } }")

    assert [part.parent for part in plan.deferred] == [None, 0]
    assert "tracking orders.@ after [0]" in places(plan)


def test_a_list_in_a_fragment_is_streamed_after_it(supergraph: Supergraph) -> None:
    plan = streamed(supergraph, "{ ... @defer { orders @stream(initialCount: 1) { step } } }")

    assert [(part.parent, part.fetches) for part in plan.deferred] == [(None, (0, 1)), (0, (2,))]


def test_a_list_that_two_deliveries_bring_is_not_streamed(supergraph: Supergraph) -> None:
    fragment = "fragment F on Query { orders @stream(initialCount: 1) { step } }"
    plan = streamed(supergraph, f"{{ shop {{ best {{ sku }} }} ...F ... @defer {{ ...F }} }} {fragment}")

    assert [part.initial_count for part in plan.deferred] == [None]


def test_of_very_many_lists_the_last_ones_come_whole(supergraph: Supergraph) -> None:
    lists = " ".join(f"o{number}: orders @stream {{ step }}" for number in range(MAX_STREAMED_LISTS + 5))
    plan = streamed(supergraph, f"{{ {lists} }}")

    assert len(plan.deferred) == MAX_STREAMED_LISTS
    assert [field.key for field in plan.output if field.stream is None] == ["o20", "o21", "o22", "o23", "o24"]


@pytest.mark.parametrize(
    ("arguments", "given", "initial_count"),
    [
        ("if: true, initialCount: 3", {}, 3),
        ("if: false", {}, None),
        ("if: $on", {"on": False}, None),
        ("if: $on", {}, 0),
        ("initialCount: $count", {"count": 2}, 2),
        ("initialCount: $count", {}, 5),
    ],
    ids=["always", "never", "switched off", "on by default", "count given", "count by default"],
)
def test_a_list_is_streamed_when(
    supergraph: Supergraph, arguments: str, given: dict[str, bool | int], initial_count: int | None
) -> None:
    head = "($on: Boolean! = true)" if "$on" in arguments else "($count: Int = 5)" if "$count" in arguments else ""
    plan = streamed(supergraph, f"query{head} {{ orders @stream({arguments}) {{ id }} }}", **given)

    assert [part.initial_count for part in plan.deferred] == ([] if initial_count is None else [initial_count])


def test_who_does_not_take_parts_gets_the_whole_list_at_once(supergraph: Supergraph) -> None:
    text = "{ orders @stream(initialCount: 1) { step } }"
    plain = Planner(supergraph).plan(parse_operation(supergraph, "{ orders { step } }"))

    assert Planner(supergraph).plan(parse_operation(supergraph, text)) == plain


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("{ shop @stream { best { sku } } }", "non-list field"),
        ("{ orders @stream(initialCount: -1) { id } }", "initialCount must be 0 or more"),
        ("{ orders @stream(initialCount: null) { id } }", "initialCount must be 0 or more"),
        ('{ orders @stream(initialCount: "1") { id } }', "Int cannot represent"),
        ("mutation { place @stream { id } }", "root mutation"),
        ("subscription { placed { lines @stream { article { sku } } } }", "not supported on subscription"),
        ('{ a: orders @stream(label: "x") { id } b: orders @stream(label: "x") { id } }', "must be unique"),
        ("query($l: String) { orders @stream(label: $l) { id } }", "static string"),
        ("{ orders { ... @stream { id } } }", "may not be used on inline fragment"),
        ("{ orders @stream { id } orders @stream(initialCount: 1) { id } }", "overlapping stream directives"),
    ],
    ids=[
        "no list",
        "negative",
        "null",
        "no number",
        "root of a mutation",
        "subscription",
        "label twice",
        "label from a variable",
        "on a fragment",
        "two counts for one field",
    ],
)
def test_stream_is_refused_where_it_cannot_be(supergraph: Supergraph, operation: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_operation(supergraph, operation, defers=lambda _: True)
    assert caught.value.code is ErrorCode.GRAPHQL_VALIDATION_FAILED
    assert any(message in error.message for error in caught.value.errors)


def test_a_negative_count_by_a_variable_is_refused_with_its_name(supergraph: Supergraph) -> None:
    with pytest.raises(RequestError, match=r"initialCount is -1 by the variable \$count") as caught:
        streamed(supergraph, "query($count: Int) { orders @stream(initialCount: $count) { id } }", count=-1)
    assert caught.value.code is ErrorCode.BAD_USER_INPUT


async def test_values_from_contexts_are_read_for_each_side_of_a_list() -> None:
    operation = "{ accounts(n: 6) @stream(initialCount: 1) { orders @stream(initialCount: 1) { fee } } }"
    _, world = compose_world(SALES)
    assert world is not None

    results = await ask_in_parts(world, SALES, operation)

    assert len(results) == 3
    assert joined(results) == Monolith(world).execute("{ accounts(n: 6) { orders { fee } } }")
