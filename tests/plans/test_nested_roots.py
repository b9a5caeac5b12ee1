"""Fields that return the query type: every subgraph can be asked for its root fields there, without a key."""

from __future__ import annotations

import pytest

from gateway.errors import RequestError
from gateway.operation import parse_operation
from tests.support.graphs import plan_of, printed, shape_of, supergraph_of
from tests.support.worlds import Monolith, ask, compose_world

GRAPH = {
    "orders": """
      schema { query: OrdersRoot mutation: Changes }
      type OrdersRoot { n: Int self: OrdersRoot all: [OrdersRoot!]! order: Order }
      type Changes { place: Placed! }
      type Placed { query: OrdersRoot! }
      type Order @key(fields: "id") { id: ID! root: OrdersRoot! }
    """,
    "stock": """
      type Query { k: Int zone: Zone! }
      type Zone { a: Int root: Query }
      type Order @key(fields: "id") { id: ID! weight: Int }
    """,
}


def test_root_fields_of_another_subgraph_are_fetched_where_the_root_is_returned() -> None:
    plan = plan_of(supergraph_of(**GRAPH), "{ self { n k } }")

    assert shape_of(plan) == ["orders after []: {self{__typename n}}", "stock after [0]: {k}"]
    assert 'Flatten(path: "self")' in printed(plan)


def test_the_payload_of_a_mutation_can_lead_to_every_root_field() -> None:
    plan = plan_of(supergraph_of(**GRAPH), "mutation { place { query { n k } } }")

    assert shape_of(plan) == ["orders after []: mutation{place{query{__typename n}}}", "stock after [0]: {k}"]


@pytest.mark.parametrize(
    "operation",
    [
        "{ self { n k self { k zone { a root { n k } } } } }",
        "{ all { n k all { zone { a } } } }",
        "{ order { weight root { n k } } }",
        "query($on: Boolean = true) { self { ...@include(if: $on) { k } n } }",
    ],
)
async def test_the_answer_is_that_of_one_schema(operation: str) -> None:
    subgraphs = {**GRAPH, "orders": GRAPH["orders"].replace("OrdersRoot", "Query").replace("query: Query mut", "mut")}
    subgraphs["orders"] = subgraphs["orders"].replace("schema { mutation: Changes }", "").replace("Changes", "Unused")
    _, world = compose_world(subgraphs)
    assert world is not None

    answer, _ = await ask(world, subgraphs, operation)

    assert answer == {"data": Monolith(world).execute(operation)}


def test_introspection_below_the_root_is_refused_with_the_reason() -> None:
    supergraph = supergraph_of(**GRAPH)

    with pytest.raises(RequestError, match="at the root"):
        parse_operation(supergraph, "{ self { __schema { queryType { name } } } }")
