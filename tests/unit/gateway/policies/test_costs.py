"""What operations may cost and did cost, and what happens to those that cost too much."""

from __future__ import annotations

from functools import cache

import pytest

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.errors import ConfigError, RequestError
from gateway.operation import parse_operation
from gateway.policies.cost_estimate import MUTATION, OperationCost
from gateway.policies.cost_weights import read_weights
from gateway.policies.demand import Demand
from gateway.supergraph import Supergraph, parse_supergraph

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost", "@listSize"])'
SDL = """
type Query {
  one: Item
  dear: Item @cost(weight: 7)
  items(first: Int = 4, last: Int): [Item] @listSize(assumedSize: 6, slicingArguments: ["first", "last"])
  few: [Item] @listSize(assumedSize: 3)
  many: [Item]
  connection(first: Int): Connection @listSize(slicingArguments: ["first"], sizedFields: ["edges"])
  search(by: Filter, fuzzy: Boolean @cost(weight: 5)): [Item] @listSize(assumedSize: 77)
  any: Any
  numbers: [Int]
  blobs: [Blob]
}
type Mutation { change: Item }
type Connection { edges: [Item] total: Int }
type Item { id: ID! heavy: Int @cost(weight: 2) sub: Item tag: Tag }
type Tag @cost(weight: 3) { name: String }
type Big @cost(weight: 9) { id: ID! tags: [Tag] @listSize(assumedSize: 2) }
union Any = Item | Big
input Filter { most: Int text: String @cost(weight: 4) inner: Filter }
scalar Blob @cost(weight: 8)
"""


def composed() -> str:
    text = str(compose_or_raise([SubgraphSource(name="s", url="http://s", sdl=LINK + SDL)]).supergraph)
    # Our composer knows arguments of the field alone; others also write paths into input objects.
    return text.replace("@listSize(assumedSize: 77)", '@listSize(slicingArguments: ["by.most"])')


@cache
def supergraph() -> Supergraph:
    return parse_supergraph(composed())


def cost(text: str) -> OperationCost:
    return OperationCost(parse_operation(supergraph(), text), read_weights(supergraph()), 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{ one { id } }", 1, id="an object costs one, a leaf nothing"),
        pytest.param("{ one { sub { id } } }", 2, id="objects below one another"),
        pytest.param("{ a: one { id } b: one { id } }", 2, id="aliases count each"),
        pytest.param("{ one { id id ...F } } fragment F on Item { id }", 1, id="the same field counts once"),
        pytest.param("{ dear { id } }", 7, id="the weight of a field"),
        pytest.param("{ one { tag { name } } }", 4, id="the weight of a type"),
        pytest.param("{ one { heavy } }", 3, id="the weight of a leaf's field"),
        pytest.param("{ items(first: 2) { sub { id } } }", 4, id="a slicing argument"),
        pytest.param("{ items(first: 2, last: 5) { id } }", 5, id="the largest of two slicing arguments"),
        pytest.param("{ items { id } }", 4, id="the default of a slicing argument"),
        pytest.param("{ items(first: -1) { id } }", 6, id="a negative slicing argument"),
        pytest.param("{ items(first: null) { id } }", 4, id="null is no size"),
        pytest.param("{ few { id } }", 3, id="an assumed size"),
        pytest.param("{ many { id } }", 10, id="the default size of the settings"),
        pytest.param("{ many { sub { id } } }", 20, id="what is below a list counts per item"),
        pytest.param("{ connection(first: 5) { total edges { sub { id } } } }", 11, id="sized fields"),
        pytest.param("{ connection { edges { id } } }", 11, id="sized fields without a size"),
        pytest.param("{ numbers }", 0, id="a list of leaves"),
        pytest.param("{ blobs }", 80, id="a list of leaves with a weight"),
        pytest.param("{ search(by: {most: 2}, fuzzy: true) { id } }", 7, id="the weight of an argument"),
        pytest.param('{ search(by: {most: 2, text: "x"}) { id } }', 6, id="the weight of an input field"),
        pytest.param('{ search(by: {most: 2, inner: {inner: {text: "x"}}}) { id } }', 6, id="a nested input field"),
        pytest.param("{ any { ... on Item { id } } }", 1, id="one type of a union"),
        pytest.param("{ any { ... on Item { id } ... on Big { tags { name } } } }", 7, id="the dearest of a union"),
        pytest.param("{ one { id sub @skip(if: true) { id } } }", 1, id="what is left out for good"),
        pytest.param("{ __typename one { __typename } }", 1, id="type names"),
        pytest.param("{ __schema { types { name } } }", 0, id="introspection"),
        pytest.param("mutation { change { id } again: change { id } }", 2 + 2 * MUTATION, id="a mutation"),
    ],
)
def test_the_cost_of_an_operation(text, expected):
    found = cost(text)
    assert found.is_fixed
    assert found.estimate({}) == expected


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        pytest.param("query($n: Int) { items(first: $n) { id } }", {"n": 50}, 50, id="a size"),
        pytest.param("query($n: Int) { items(first: $n) { id } }", {}, 4, id="a size that is not given"),
        pytest.param("query($n: Int) { items(first: $n) { id } }", {"n": -5}, 6, id="a negative size"),
        pytest.param("query($n: Int) { connection(first: $n) { edges { id } } }", {"n": 7}, 8, id="sized fields"),
        pytest.param("query($f: Filter) { search(by: $f) { id } }", {"f": {"most": 3, "text": "x"}}, 7, id="an object"),
        pytest.param("query($c: Boolean!) { one @include(if: $c) { id } }", {"c": True}, 1, id="what is included"),
        pytest.param("query($c: Boolean!) { one @include(if: $c) { id } }", {"c": False}, 0, id="what is not"),
        pytest.param("query($c: Boolean!) { one @skip(if: $c) { id } }", {"c": True}, 0, id="what is skipped"),
        pytest.param("query($n: Int) { items(first: $n) { sub { id } } }", {"n": 2**60}, 2**53, id="an absurd size"),
    ],
)
def test_the_cost_follows_variables(text, variables, expected):
    found = cost(text)
    assert not found.is_fixed
    assert found.estimate(variables) == expected


@pytest.mark.parametrize(
    ("text", "data", "expected"),
    [
        pytest.param("{ many { sub { id } } }", {"many": [{"sub": {"id": "1"}}, {"sub": None}]}, 3, id="what came"),
        pytest.param("{ many { id } }", {"many": None}, 0, id="nothing"),
        pytest.param("{ a: dear { tag { name } } }", {"a": {"tag": {"name": "x"}}}, 10, id="weights"),
        pytest.param("{ blobs }", {"blobs": [1, 2, None]}, 16, id="leaves"),
        pytest.param(
            "{ any { ... on Item { sub { id } } ... on Big { tags { name } } } }",
            {"any": {"tags": [{"name": "x"}]}},
            4,
            id="the type that came",
        ),
        pytest.param("mutation { change { id } }", {"change": {"id": "1"}}, 1 + MUTATION, id="a mutation"),
        pytest.param("{ one { id } }", None, 0, id="no data"),
    ],
)
def test_the_actual_cost_is_that_of_the_answer(text, data, expected):
    assert cost(text).measure(data) == expected


def test_directives_are_found_under_the_names_that_the_supergraph_gives_them():
    text = composed().replace('import: ["@cost", "@listSize"]', 'import: [{name: "@cost", as: "@price"}, "@listSize"]')
    text = text.replace("@cost(", "@price(")
    renamed = read_weights(parse_supergraph(text))
    assert renamed == read_weights(supergraph())
    assert renamed.types == {"Tag": 3, "Big": 9, "Blob": 8}


def demand(**settings) -> Demand:
    return Demand(settings_from({"demand": settings}).demand)


def test_an_operation_at_the_maximum_is_allowed_and_one_above_it_refused():
    policy = demand(mode="enforce", max_cost=5)
    policy.check("Q", 5)
    with pytest.raises(RequestError) as caught:
        policy.check("Q", 6)
    assert caught.value.code == "COST_EXCEEDED"
    assert caught.value.extensions == {"cost": 6, "most": 5}


def test_measuring_refuses_nothing_and_names_the_operation_in_the_log(caplog):
    demand(mode="measure", max_cost=5).check("Dear", 6)
    assert "operation Dear may cost 6; the most is 5" in caplog.text


def test_enforcing_needs_a_maximum():
    with pytest.raises(ConfigError, match="max_cost is needed"):
        demand(mode="enforce")
