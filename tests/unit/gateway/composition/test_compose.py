"""What composition makes of subgraphs that fit."""

from __future__ import annotations

import itertools

import pytest
from graphql import build_schema, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.composition import SubgraphSource, compose, compose_or_raise
from gateway.errors import CompositionError
from gateway.supergraph import parse_supergraph

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", '
    '"@requires", "@provides", "@override", "@inaccessible", "@tag", "@interfaceObject", "@requiresScopes"])\n'
)
ORDERS = (
    LINK
    + """
type Query { order(id: ID!): Order @requiresScopes(scopes: [["orders:read"]]) }
type Order @key(fields: "id") { id: ID! lines: [Line!]! total: Float @tag(name: "finance") }
type Line { item: Item quantity: Int! }
type Item @key(fields: "sku") { sku: ID! }
"""
)
CATALOG = (
    LINK
    + """
type Query { item(sku: ID!): Item }
"An article" type Item @key(fields: "sku") { sku: ID! name: String! weight: Float }
"""
)
STOCK = (
    LINK
    + """
type Item @key(fields: "sku") {
  sku: ID!
  weight: Float @external
  available: Int!
  freight: Float @requires(fields: "weight")
}
"""
)
SOURCES = [
    SubgraphSource("orders", "http://orders.example", ORDERS),
    SubgraphSource("catalog", "http://catalog.example", CATALOG),
    SubgraphSource("stock", "http://stock.example", STOCK),
]


def test_the_api_schema_has_the_fields_of_all_subgraphs_and_no_machinery() -> None:
    composition = compose(SOURCES)

    assert composition.api_schema is not None
    schema = build_schema(composition.api_schema)
    item = schema.type_map["Item"]
    assert set(item.fields) == {"sku", "name", "weight", "available", "freight"}  # type: ignore[attr-defined]
    assert "join" not in composition.api_schema
    assert item.description == "An article"


def test_the_supergraph_says_who_resolves_what() -> None:
    supergraph = parse_supergraph(compose(SOURCES).supergraph or "")
    joins = supergraph.types["Item"].fields["freight"].joins

    assert list(joins) == ["stock"]
    assert joins["stock"].requires == "weight"
    assert supergraph.types["Item"].fields["weight"].joins["stock"].external
    assert supergraph.authorization["Query.order"].scopes == (("orders:read",),)
    assert supergraph.subgraphs["stock"].url == "http://stock.example"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_order_of_subgraphs_changes_no_byte(order: tuple[int, ...]) -> None:
    assert compose([SOURCES[index] for index in order]) == compose(SOURCES)


def test_the_composed_supergraph_composes_to_a_schema_that_parses() -> None:
    composition = compose(SOURCES)

    assert parse(composition.supergraph or "").definitions


def test_a_contract_leaves_out_what_carries_an_excluded_tag() -> None:
    composition = compose(SOURCES, exclude_tags=["finance"])

    assert "total" not in (composition.api_schema or "")
    assert "total" in (composition.supergraph or "")


def test_a_contract_shows_only_what_carries_an_included_tag() -> None:
    tagged = SubgraphSource("a", "", LINK + 'type Query { seen: Int @tag(name: "portal") hidden: T } type T { x: Int }')
    composition = compose([tagged], include_tags=["portal"])

    assert composition.ok
    assert "seen" in (composition.api_schema or "")
    assert "hidden" not in (composition.api_schema or "")
    assert "type T" not in (composition.api_schema or "")


def test_a_custom_directive_reaches_the_supergraph_when_asked() -> None:
    sdl = (
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@composeDirective"]) '
        '@link(url: "https://crossdock.example/resumable/v0.1", import: ["@resumable"]) '
        '@composeDirective(name: "@resumable")\n'
        "directive @resumable(cursor: String!, argument: String!) on FIELD_DEFINITION\n"
        'type Query { a: Int } type Subscription { s(after: ID): E @resumable(cursor: "eventId", argument: "after") }\n'
        "type E { eventId: ID! }"
    )
    supergraph = parse_supergraph(compose([SubgraphSource("a", "", sdl)]).supergraph or "")

    assert supergraph.field_directives("resumable") == {
        "Subscription.s": {"cursor": "eventId", "argument": "after"},
    }


def test_raising_carries_every_problem() -> None:
    with pytest.raises(CompositionError) as caught:
        compose_or_raise([SubgraphSource("a", "", "type A { b: Missing c: Gone }")])
    assert len(caught.value.problems) == 2


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mangled_sdl_never_raises(data: st.DataObject) -> None:
    """Cut, double or swap pieces of good SDL: composition answers, whatever the text."""
    pieces = STOCK.split(" ")
    start = data.draw(st.integers(0, len(pieces) - 1))
    length = data.draw(st.integers(0, 6))
    inserted = data.draw(st.lists(st.sampled_from([*pieces, "{", "}", "@key", "[", "!", '"']), max_size=4))
    mangled = " ".join([*pieces[:start], *inserted, *pieces[start + length :]])

    composition = compose([SOURCES[0], SOURCES[1], SubgraphSource("stock", "", mangled)])

    assert composition.ok == (not composition.errors)
