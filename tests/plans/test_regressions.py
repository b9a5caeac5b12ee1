"""Small graphs on which a plan once went wrong: the answer is that of one schema."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.graphs import plan_of
from tests.support.worlds import Monolith, ask, compose_world


class Case(NamedTuple):
    subgraphs: dict[str, str]
    operation: str
    variables: dict[str, bool] | None = None


NESTED = {
    "reader": """
      type Query { count: Int }
      type Item @key(fields: "id") { id: ID! parts: [Item!] name: String @external tag: Int @requires(fields: "name") }
    """,
    "owner": 'type Query { items: [Item!]! } type Item @key(fields: "id") { id: ID! name: String }',
}
LINKED = {
    "owner": """
      type Query { items: [Item!]! }
      type Ref @shareable { id: ID! }
      type Item @key(fields: "ref { id }") { ref: Ref! parts: [Item!]! }
    """,
    "reader": """
      type Ref @shareable { id: ID! }
      type Item @key(fields: "id") @key(fields: "ref { id }") {
        id: ID! ref: Ref! parts: [Item!]! @external size: Int @requires(fields: "parts { id }")
      }
    """,
}
OBJECTS = {
    "objects": """
      type Query { any(x: Int): Thing }
      type Thing @interfaceObject @key(fields: "id") { id: ID! added: String! more: [Thing!] }
    """,
    "types": """
      interface Thing @key(fields: "id") { id: ID! }
      type Box implements Thing @key(fields: "id") { id: ID! depth: Int! }
      type Bag implements Thing @key(fields: "id") { id: ID! }
    """,
    "sizes": 'type Box @key(fields: "id") { id: ID! size: Int! } type Bag @key(fields: "id") { id: ID! weight: Int! }',
}
ONE_TYPE = {
    **OBJECTS,
    "types": """
      interface Thing @key(fields: "id") { id: ID! }
      type Box implements Thing @key(fields: "id") { id: ID! depth: Int! }
    """,
    "sizes": 'type Box @key(fields: "id") { id: ID! size: Int! }',
}
CHAIN = {
    "a": """
      type Query { any: [Any!]! }
      union Any = Box | Bag
      type Box @key(fields: "k0") { k0: ID! }
      type Bag @key(fields: "k0") { k0: ID! }
    """,
    "b": 'type Box @key(fields: "k0") @key(fields: "k1") { k0: ID! k1: ID! }',
    "c": """
      type Query { bags: [Bag!]! }
      type Box @key(fields: "k1") @key(fields: "k2") { k1: ID! k2: ID! }
      type Bag @key(fields: "k0") @key(fields: "k1") {
        k0: ID! k1: ID! size: Int @external double: Int @requires(fields: "size")
      }
    """,
    "d": 'type Box @key(fields: "k2") { k2: ID! depth: Int } type Bag @key(fields: "k1") { k1: ID! size: Int }',
}

CASES = {
    "a requirement of an object and of the same type below it": Case(NESTED, "{ items { tag parts { tag } } }"),
    "a requirement that is left out beside a field that is not, left out": Case(
        LINKED, "query($no: Boolean!) { items { size @skip(if: $no) id } }", {"no": True}
    ),
    "a requirement that is left out beside a field that is not, selected": Case(
        LINKED, "query($no: Boolean!) { items { size @skip(if: $no) id } }", {"no": False}
    ),
    "a type condition on objects whose types are not known yet": Case(
        OBJECTS, "{ any(x: 4) { more { ... on Bag { weight } id } ... on Box { more { added } } } }"
    ),
    "the only type of an interface, asked for by its own key": Case(
        ONE_TYPE, "query($no: Boolean!) { any(x: 1) { ... on Box { depth size @skip(if: $no) } } }", {"no": False}
    ),
    "a key that the subgraph which it enters would give itself": Case(
        CHAIN, "{ bags { double } any { ... on Box { depth } ... on Bag { k1 } } }"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_the_answer_is_that_of_one_schema(case: Case) -> None:
    composition, world = compose_world(case.subgraphs)
    assert world is not None, composition.errors
    plan_of(world.supergraph, case.operation)

    answer, _ = await ask(world, case.subgraphs, case.operation, case.variables)

    assert answer == {"data": Monolith(world).execute(case.operation, case.variables)}
