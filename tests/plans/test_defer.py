"""``@defer``: what is left for later, in requests of its own, and what the first answer has without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import ErrorCode, RequestError
from gateway.operation import parse_operation
from gateway.plan import QueryPlan, check_plan, from_json, to_json
from gateway.planner import Planner
from gateway.supergraph import Supergraph
from tests.support.graphs import printed, shape_of, supergraph_of

GRAPH = {
    "orders": """
      type Query { order(id: ID = "1"): Order orders: [Order!]! shop: Shop! }
      type Mutation { place: Order }
      type Subscription { placed: Order }
      type Order @key(fields: "id") { id: ID! total: Float! note: String lines: [Line!]! address: Address }
      type Line { quantity: Int! article: Article! }
      type Article @key(fields: "sku") { sku: ID! }
      type Address { street: String city: String }
      type Shop { name: String open: Boolean }
    """,
    "catalog": """
      type Query { articles: [Article!]! }
      type Article @key(fields: "sku") { sku: ID! name: String maker: Maker }
      type Maker @key(fields: "id") { id: ID! name: String }
    """,
    "tracking": 'type Order @key(fields: "id") { id: ID! steps: [Step!]! } type Step { at: String place: String }',
}


@pytest.fixture(scope="module")
def supergraph() -> Supergraph:
    return supergraph_of(**GRAPH)


def deferred(supergraph: Supergraph, operation: str, **switches: bool) -> QueryPlan:
    plan = Planner(supergraph).plan(parse_operation(supergraph, operation, defers=switches.get))
    check_plan(plan)
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    return plan


def test_a_deferred_field_of_another_subgraph_leaves_the_first_answer_without_waiting(supergraph: Supergraph) -> None:
    plan = deferred(supergraph, '{ order { total ... @defer(label: "way") { steps { at } } } }')

    assert shape_of(plan) == [
        "orders after []: {order{__typename total id}}",
        (
            "tracking after [0]: query($representations:[_Any!]!)"
            "{_entities(representations:$representations){...on Order{steps{at}}}}"
        ),
    ]
    assert [(part.label, part.fetches) for part in plan.deferred] == [("way", (1,))]
    assert printed(plan) == PRINTED


PRINTED = """\
QueryPlan {
  Defer {
    Primary {
      Fetch(service: "orders") {
        {
          order {
            __typename
            total
            id
          }
        }
      },
    },
    Deferred(label: "way") {
      Flatten(path: "order") {
        Fetch(service: "tracking") {
          {
            ... on Order {
              __typename
              id
            }
          } =>
          query ($representations: [_Any!]!) {
            _entities(representations: $representations) {
              ... on Order {
                steps {
                  at
                }
              }
            }
          }
        },
      },
    },
  },
}"""


def test_a_deferred_field_of_the_same_subgraph_is_asked_for_again_by_key(supergraph: Supergraph) -> None:
    plan = deferred(supergraph, "{ order { total ... @defer { note } } }")

    assert [fetch.subgraph for fetch in plan.fetches] == ["orders", "orders"]
    assert "note" not in plan.fetches[0].document
    assert "note" in plan.fetches[1].document


def test_a_deferred_field_that_no_key_leads_to_comes_with_the_first_request(supergraph: Supergraph) -> None:
    plan = deferred(supergraph, "{ shop { name ... @defer { open } } }")

    assert shape_of(plan) == ["orders after []: {shop{name open}}"]
    assert plan.deferred[0].fetches == ()
    assert "Deferred {" in printed(plan)


def test_deferred_root_fields_are_a_request_of_their_own(supergraph: Supergraph) -> None:
    plan = deferred(supergraph, "{ order { total } ... @defer { shop { name } articles { name } } }")

    assert [(fetch.subgraph, fetch.after) for fetch in plan.fetches] == [
        ("orders", ()),
        ("orders", ()),
        ("catalog", ()),
    ]
    assert plan.deferred[0].fetches == (1, 2)


def test_a_fragment_in_a_deferred_fragment_is_delivered_after_it(supergraph: Supergraph) -> None:
    operation = """
      {
        order {
          total
          ... on Order @defer(label: "outer") {
            lines { article { name ... @defer(label: "inner") { maker { name } } } }
          }
        }
      }
    """
    plan = deferred(supergraph, operation)

    assert [(part.label, part.parent) for part in plan.deferred] == [("outer", None), ("inner", 0)]
    assert all(set(plan.fetches[number].after) for part in plan.deferred for number in part.fetches)
    assert printed(plan).count("Defer {") == 2


def test_a_field_that_is_selected_outside_too_belongs_to_the_first_answer(supergraph: Supergraph) -> None:
    plan = deferred(supergraph, "{ order { total note ... @defer { note } } }")

    assert shape_of(plan) == ["orders after []: {order{total note}}"]
    assert "Defer" not in printed(plan)


def test_two_fragments_do_not_wait_for_each_other(supergraph: Supergraph) -> None:
    plan = deferred(supergraph, "{ order { id ... @defer { steps { at } } ... @defer { steps { place } note } } }")

    parts = [set(part.fetches) for part in plan.deferred]
    assert all(parts)
    assert parts[0].isdisjoint(parts[1])


@pytest.mark.parametrize(
    ("switch", "switches", "is_deferred"),
    [
        ("if: true", {}, True),
        ("if: false", {}, False),
        ("if: $on", {"on": True}, True),
        ("if: $on", {"on": False}, False),
        ("if: $on", {}, True),
    ],
    ids=["always", "never", "switched on", "switched off", "on by default"],
)
def test_a_fragment_is_deferred_when(
    supergraph: Supergraph, switch: str, switches: dict[str, bool], is_deferred: bool
) -> None:
    operation = f"query($on: Boolean! = true) {{ order {{ total ... @defer({switch}) {{ steps {{ at }} }} }} }}"
    if "$on" not in switch:
        operation = operation.replace("($on: Boolean! = true)", "")

    assert ("Defer" in printed(deferred(supergraph, operation, **switches))) is is_deferred


def test_who_does_not_take_parts_gets_the_whole_answer_at_once(supergraph: Supergraph) -> None:
    text = "{ order { total ... @defer { steps { at } } } }"
    plain = Planner(supergraph).plan(parse_operation(supergraph, text.replace("@defer", "")))

    assert Planner(supergraph).plan(parse_operation(supergraph, text)) == plain


@pytest.mark.parametrize(
    "operation",
    [
        "mutation { ... @defer { place { id } } }",
        "subscription { placed { id ... @defer { total } } }",
        '{ order { ... @defer(label: "x") { id } ... @defer(label: "x") { total } } }',
        "query($l: String) { order { ... @defer(label: $l) { id } } }",
        "{ order @defer { id } }",
    ],
    ids=["root of a mutation", "subscription", "label twice", "label from a variable", "on a field"],
)
def test_defer_is_refused_where_it_cannot_be(supergraph: Supergraph, operation: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_operation(supergraph, operation, defers=lambda _: True)
    assert caught.value.code is ErrorCode.GRAPHQL_VALIDATION_FAILED


def test_a_plan_with_parts_has_the_common_shape(supergraph: Supergraph) -> None:
    node: dict[str, Any] = to_json(deferred(supergraph, '{ order { id ... @defer(label: "w") { steps { at } } } }'))[
        "node"
    ]

    assert node["kind"] == "Defer"
    assert node["primary"]["node"]["kind"] == "Fetch"
    assert [(part["label"], part["node"]["kind"]) for part in node["deferred"]] == [("w", "Flatten")]
