"""Reading supergraph documents of every join version."""

from __future__ import annotations

import pytest

from gateway.errors import ErrorCode, SupergraphError
from gateway.supergraph import parse_supergraph

GRAPHS = 'enum join__Graph { A @join__graph(name: "a", url: "http://a") B @join__graph(name: "b", url: "http://b") }\n'


@pytest.mark.parametrize("purpose", ["SECURITY", "EXECUTION"])
def test_an_unknown_feature_with_a_purpose_is_refused(purpose: str) -> None:
    sdl = f'schema @link(url: "https://example.com/sealing/v1.0", for: {purpose}) {{ query: Query }}\n'
    with pytest.raises(SupergraphError) as caught:
        parse_supergraph(sdl + GRAPHS + "type Query { a: Int }")

    assert caught.value.code is ErrorCode.SUPERGRAPH_FEATURE_UNSUPPORTED
    assert "https://example.com/sealing/v1.0" in caught.value.message


def test_an_unknown_feature_without_a_purpose_is_let_through() -> None:
    sdl = 'schema @link(url: "https://example.com/notes/v1.0") { query: Query }\n'
    assert "Query" in parse_supergraph(sdl + GRAPHS + "type Query { a: Int }").types


def test_a_subgraph_given_as_supergraph_is_named_as_such() -> None:
    with pytest.raises(SupergraphError, match="is it a subgraph"):
        parse_supergraph("type Query { a: Int }")


def test_a_syntax_error_names_its_place() -> None:
    with pytest.raises(SupergraphError, match="line 2, column 14"):
        parse_supergraph("enum join__Graph { A }\ntype Query { ! }")


def test_a_field_without_join_directives_belongs_to_every_subgraph_of_its_type() -> None:
    graph = parse_supergraph(GRAPHS + "type Query @join__type(graph: A) @join__type(graph: B) { a: Int }")
    assert set(graph.types["Query"].fields["a"].joins) == {"a", "b"}


def test_a_field_of_an_owned_type_belongs_to_the_owner_in_join_v0_1() -> None:
    graph = parse_supergraph(
        GRAPHS + "type Query { t: T @join__field(graph: A) } "
        'type T @join__owner(graph: A) @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") '
        "{ id: ID! x: Int y: Int @join__field(graph: B) }"
    )
    assert set(graph.types["T"].fields["x"].joins) == {"a"}
    assert set(graph.types["T"].fields["y"].joins) == {"b"}


def test_the_api_schema_hides_machinery_and_what_is_inaccessible() -> None:
    graph = parse_supergraph(
        GRAPHS + "directive @inaccessible on OBJECT | FIELD_DEFINITION\n"
        "type Query @join__type(graph: A) { a: Int b: Int @inaccessible h: Hidden } "
        "type Hidden @join__type(graph: A) @inaccessible { x: Int }"
    )
    assert set(graph.api_schema.query_type.fields) == {"a"}  # type: ignore[union-attr]
    assert "Hidden" not in graph.api_schema.type_map
    assert "join__Graph" not in graph.api_schema.type_map
