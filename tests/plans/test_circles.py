"""Keys that need each other: planning ends, with the plan that there is or with NO_PATH."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from gateway.errors import ErrorCode, PlanningError
from gateway.operation import parse_operation
from gateway.planner import Planner
from gateway.supergraph import parse_supergraph
from tests.support.graphs import plan_of, supergraph_of, supergraph_text

OPERATIONS = ["{ i { __typename } }", "{ i { ... on E { name } } }", "{ i { ... on E { id name k } } }"]


def subgraphs(teller: str) -> dict[str, str]:
    """Return a graph in which ``teller`` tells types by a key that is at hand only where the types are known."""
    return {
        "a": 'type Query { i: I } type I @interfaceObject @key(fields: "id") { id: ID! }',
        "b": 'interface I @key(fields: "id") { id: ID! } type E implements I @key(fields: "id") { id: ID! }',
        "c": 'type E @key(fields: "id") { id: ID! k: ID! @shareable name: String }',
        teller: 'interface I @key(fields: "k") { k: ID! } type E implements I @key(fields: "k") { k: ID! @shareable }',
    }


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("teller", ["aa", "z"])
def test_types_are_told_by_the_subgraph_that_is_reached_first_whatever_its_name(teller: str, operation: str) -> None:
    plan = plan_of(supergraph_of(**subgraphs(teller)), operation)
    assert [fetch.subgraph for fetch in plan.fetches][:2] == ["a", "b"]
    assert teller not in {fetch.subgraph for fetch in plan.fetches}


def without_keys(text: str, left_out: tuple[int, ...]) -> str:
    """Return a supergraph without some of its keys, as composition would never write it."""
    numbers = iter(range(text.count(", key: ")))
    return re.sub(r', key: "[^"]*"', lambda found: "" if next(numbers) in left_out else found[0], text)


@pytest.mark.parametrize("many", [1, 2, 3])
def test_a_supergraph_that_lacks_keys_has_a_plan_or_no_path(many: int) -> None:
    text = supergraph_text(**subgraphs("aa"))
    outcomes = set()
    for left_out in combinations(range(text.count(", key: ")), many):
        supergraph = parse_supergraph(without_keys(text, left_out))
        for operation in OPERATIONS:
            try:
                Planner(supergraph).plan(parse_operation(supergraph, operation))
                outcomes.add(None)
            except PlanningError as error:
                outcomes.add(error.code)
    assert outcomes == {None, ErrorCode.NO_PATH}
