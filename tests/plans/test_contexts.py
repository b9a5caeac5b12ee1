"""Arguments that the gateway reads from objects around a field: plans, values, groups and what is refused."""

from __future__ import annotations

import pytest

from gateway.plan import to_json
from tests.support.graphs import plan_of, printed, shape_of, supergraph_of
from tests.support.worlds import Monolith, ask, compose_world

SALES = {
    "orders": """
      type Query { accounts(n: Int): [Account!]! depots(n: Int): [Depot!]! parties(n: Int): [Party!]! }
      union Party @context(name: "party") = Account | Depot
      type Account @key(fields: "id") @context(name: "seller") {
        id: ID! level: Int! terms: Terms! order: Order! orders: [Order!]!
      }
      type Depot @key(fields: "id") @context(name: "seller") { id: ID! level: Int! space: Int! order: Order! }
      type Terms { days: Int! }
      type Order @key(fields: "id") {
        id: ID!
        fee(x: Int, level: Int @fromContext(field: "$seller { level }")): Int!
        quote(days: Int @fromContext(field: "$party ... on Account { terms { days } } ... on Depot { space }")): Quote
      }
      type Quote { price: Int! order: Order! }
    """,
    "stock": 'type Order @key(fields: "id") { id: ID! weight: Int! twin: Order! }',
}


def test_a_contextual_field_is_asked_for_anew_with_the_value_of_the_nearest_object() -> None:
    supergraph = supergraph_of(**SALES)

    plan = plan_of(supergraph, "query($x: Int) { accounts { order { fee(x: $x) } } }")

    assert shape_of(plan) == [
        "orders after []: {accounts{order{__typename id}level}}",
        (
            "orders after [0]: query($representations:[_Any!]!,$c1_0:Int,$x:Int)"
            "{_entities(representations:$representations){...on Order{fee(x:$x,level:$c1_0)}}}"
        ),
    ]
    assert "$c1_0 = accounts.@.level" in printed(plan)
    fetch = to_json(plan)["node"]["nodes"][1]["node"]
    assert fetch["calls"][0]["contexts"] == [
        {
            "variable": "c1_0",
            "type": "Int",
            "reads": [{"path": ["accounts", "@"], "types": [], "keys": ["level"]}],
        }
    ]


OPERATIONS = {
    "one object around": "{ accounts(n: 6) { order { fee } } }",
    "lists of lists, with other arguments": "{ accounts(n: 6) { orders { fee(x: 1) more: fee(x: 2) weight } } }",
    "two types that set one context": "{ accounts(n: 1) { order { fee } } depots(n: 1) { order { fee } } }",
    "an entity of another subgraph in between": "{ accounts(n: 6) { orders { twin { fee twin { fee } } } } }",
    "a union that sets the context": "{ parties(n: 5) { ... on Account { order { quote { price } } } "
    "... on Depot { order { quote { price } twin { quote { price order { fee } } } } } } }",
    "a condition": "query($on: Boolean = false) { accounts(n: 6) { order { fee @include(if: $on) weight } } }",
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
async def test_values_reach_each_field_from_the_object_around_it(operation: str) -> None:
    _, world = compose_world(SALES)
    assert world is not None

    answer, requests = await ask(world, SALES, operation)

    assert answer == {"data": Monolith(world).execute(operation)}
    assert len(requests) > 1


async def test_equal_entities_in_different_surroundings_are_groups_of_one_request() -> None:
    _, world = compose_world(SALES)
    assert world is not None

    _, requests = await ask(world, SALES, "{ depots(n: 1) { order { fee } } accounts(n: 0) { orders { fee } } }")

    grouped = [request for request in requests if "_e1:_entities" in request["query"]]
    assert grouped
    for request in grouped:
        values = [value for name, value in request["variables"].items() if name.startswith("c")]
        assert len(values) == len(set(values)) > 1


def test_a_field_below_nothing_that_sets_its_context_is_refused() -> None:
    composition, _ = compose_world(
        {**SALES, "more": 'type Query { any: Order } type Order @key(fields: "id") { id: ID! }'}
    )

    assert {error.code for error in composition.errors} == {"SATISFIABILITY_ERROR"}
    assert any("sets the context orders__seller" in error.message for error in composition.errors)


def test_a_value_that_the_reader_may_not_see_is_refused() -> None:
    sdl = SALES["orders"].replace("level: Int! terms", "level: Int! @authenticated terms")
    composition, _ = compose_world({**SALES, "orders": sdl}, imports=("@authenticated",))

    assert {error.code for error in composition.errors} == {"MISSING_TRANSITIVE_AUTH_REQUIREMENTS"}
