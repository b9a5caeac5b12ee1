"""Which changes of a schema can break a client, and which operations each of them hits."""

from __future__ import annotations

import pytest
from graphql import build_schema, parse

from gateway.check import breaking_changes
from gateway.check.usage import used_coordinates

OLD = """
type Query { user(id: ID, by: Sort, filter: Filter): User node: Node found: Found a: [Int]! }
interface Node { id: ID! }
type User implements Node { id: ID! name: String! nick: String friends(first: Int): [User!] }
type Shop { name: String }
union Found = User | Shop
enum Sort { UP DOWN }
input Filter { name: String also: Filter sort: Sort }
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("nick: String ", "", ["User.nick: the field was removed"], id="a field"),
        pytest.param(
            "name: String!", "name: String", ["User.name: the type changed from String! to String"], id="null"
        ),
        pytest.param("a: [Int]!", "a: Int!", ["Query.a: the type changed from [Int]! to Int!"], id="no list"),
        pytest.param("(first: Int)", "", ["User.friends(first:): the argument was removed"], id="an argument"),
        pytest.param(
            "(first: Int)",
            "(first: Int!)",
            ["User.friends(first:): the type changed from Int to Int!"],
            id="an argument that is required",
        ),
        pytest.param(
            "(first: Int)",
            "(first: Int, after: ID!)",
            ["User.friends: the argument after was added and is required"],
            id="a required argument",
        ),
        pytest.param("UP DOWN", "UP", ["Sort.DOWN: the value was removed"], id="an enum value"),
        pytest.param("User | Shop", "User", ["Found|Shop: the member was removed"], id="a member"),
        pytest.param(
            "User implements Node",
            "User",
            ["Node|User: the type does not implement the interface any more"],
            id="an implementation",
        ),
        pytest.param(
            "sort: Sort }",
            "sort: Sort x: Int! }",
            ["Filter: the field x was added and is required"],
            id="an input field",
        ),
        pytest.param("also: Filter ", "", ["Filter.also: the field was removed"], id="no input field"),
        pytest.param(
            "sort: Sort }",
            "sort: [Sort!]! }",
            ["Filter.sort: the type changed from Sort to [Sort!]!"],
            id="an input type",
        ),
        pytest.param(
            "input Filter {", "input Filter @oneOf {", ["Filter: exactly one field must be given now"], id="one of"
        ),
        pytest.param("enum Sort { UP DOWN }", "scalar Sort", ["Sort: the type is of another kind"], id="a kind"),
        pytest.param("nick: String ", "nick: String! age: Int ", [], id="narrower, and a new field"),
        pytest.param("UP DOWN", "UP DOWN LEFT", [], id="a new value"),
        pytest.param("(first: Int)", "(first: Int, x: Int! = 1)", [], id="a new argument with a default"),
        pytest.param(
            "(first: Int)",
            "(first: [Int])",
            ["User.friends(first:): the type changed from Int to [Int]"],
            id="a list for one, which variables do not fit",
        ),
        pytest.param("node: Node", "node: User", [], id="a type for its interface"),
    ],
)
def test_changes_that_break_are_told_with_their_coordinate(before, after, expected):
    assert before in OLD
    new = build_schema(OLD.replace(before, after))
    assert [str(change) for change in breaking_changes(build_schema(OLD), new)] == expected


def test_a_type_that_is_gone_goes_with_the_fields_that_gave_it():
    new = OLD.replace("type Shop { name: String }", "").replace("User | Shop", "User")
    found = [str(change) for change in breaking_changes(build_schema(OLD), build_schema(new))]
    assert found == ["Found|Shop: the member was removed", "Shop: the type was removed"]


@pytest.mark.parametrize(
    ("document", "used", "unused"),
    [
        pytest.param("{ user { u: name } }", {"User.name", "User", "Query.user"}, {"User.nick", "Sort"}, id="fields"),
        pytest.param(
            "{ user { f: friends(first: 1) { id } } }", {"User.friends(first:)"}, {"Query.user(id:)"}, id="args"
        ),
        pytest.param(
            "query($f: Filter) { user(filter: $f) { id } }", {"Filter.also", "Sort.DOWN", "Sort"}, set(), id="variables"
        ),
        pytest.param(
            '{ user(by: UP, filter: {also: {name: "x"}}) { id } }',
            {"Sort.UP", "Filter.also", "Filter.name"},
            {"Sort.DOWN", "Filter.sort"},
            id="literals",
        ),
        pytest.param("{ found { ... on Shop { name } } }", {"Found", "Shop"}, {"User"}, id="a fragment"),
        pytest.param("{ found { ...F } } fragment F on User { id }", {"Found", "User"}, {"Shop"}, id="a named one"),
    ],
)
def test_what_an_operation_uses(document, used, unused):
    found = used_coordinates(build_schema(OLD), parse(document))
    assert used <= found
    assert unused.isdisjoint(found)
