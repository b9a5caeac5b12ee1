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


TYPES = """
type Query @join__type(graph: A) {{ t: T }}
interface Named @join__type(graph: A) {{ name: String }}
type T
  @join__type(graph: A, key: "{key}") @join__type(graph: B, key: "id")
  @join__implements(graph: A, interface: "{interface}")
{{
  id: ID!
  name: String @join__field(graph: A)
  size: {size} @join__field(graph: {graph}, requires: "{requires}")
  twin: T @join__field(graph: A, provides: "{provides}")
}}
union Found @join__type(graph: A) @join__unionMember(graph: A, member: "{member}") = T
"""
WHOLE = {
    "key": "id name", "interface": "Named", "size": "Int", "graph": "B", "requires": "name", "provides": "id",
    "member": "T",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        pytest.param({"key": "id nr"}, "T: key 'id nr' of subgraph a names T.nr, which is not there", id="a key"),
        pytest.param({"key": "id {"}, "T: key 'id {' of subgraph a is not a selection of fields", id="no selection"),
        pytest.param({"key": "id } x { id"}, "is not a selection of fields", id="two selections"),
        pytest.param({"key": "...F"}, "has a fragment, which nothing defines", id="a fragment"),
        pytest.param({"key": "id { x }"}, "has a selection below T.id", id="a selection below a leaf"),
        pytest.param({"requires": "twin"}, "has no selection below T.twin", id="no selection below an object"),
        pytest.param(
            {"requires": "twin { nr }"},
            "T.size: what subgraph b requires, 'twin { nr }', names T.nr, which is not there",
            id="a requirement",
        ),
        pytest.param({"requires": "twin { ... on U { id } }"}, "names the type U", id="a type of a fragment"),
        pytest.param({"provides": "nr"}, "T.twin: what subgraph a provides, 'nr', names T.nr", id="what is provided"),
        pytest.param({"interface": "T"}, "T: subgraph a implements T, which is no interface", id="an interface"),
        pytest.param({"member": "V"}, "Found: subgraph a has the member V, which is no object type", id="a member"),
        pytest.param({"size": "Size"}, "T.size: there is no type Size", id="the type of a field"),
        pytest.param({"size": 'Int @join__field(graph: A, type: "[")'}, "'[' as a type", id="the text of a type"),
        pytest.param(
            {"member": 'T") @join__unionMember(graph: A, x: "'}, "without its argument member", id="an argument"
        ),
        pytest.param({"graph": "C"}, "names the subgraph C, which join__Graph does not have", id="a subgraph"),
    ],
)
def test_what_a_supergraph_names_must_be_there(given: dict[str, str], fault: str) -> None:
    parse_supergraph(GRAPHS + TYPES.format(**WHOLE))
    with pytest.raises(SupergraphError) as caught:
        parse_supergraph(GRAPHS + TYPES.format(**{**WHOLE, **given}))
    assert fault in caught.value.message


def test_everything_that_is_missing_is_told_at_once_up_to_a_number() -> None:
    fields = "\n".join(f"f{number}: T{number}" for number in range(30))
    with pytest.raises(SupergraphError) as caught:
        parse_supergraph(GRAPHS + f"type Query @join__type(graph: A) {{ {fields} }}")
    lines = caught.value.message.splitlines()
    assert (len(lines), lines[1], lines[-1]) == (22, "  Query.f0: there is no type T0", "  and 10 more")


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
