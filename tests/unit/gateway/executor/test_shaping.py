"""The generated projection and the exact completion: one table of faults, and a property that both agree."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import build_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.executor.completion import complete
from gateway.executor.projection import FAULTS, compile_projection
from gateway.executor.shape import SchemaTypes, build_root, parse_type
from gateway.executor.verification import compile_verification, is_same_text
from gateway.plan.nodes import OutputField
from tests.support.plans import guard, out

SCHEMA = build_schema(
    """
    scalar JSON
    type Query {
      item: Item items: [Item] strict: [Item!]! node: Node any: Any color: Color colors: [Color!] json: JSON
    }
    type Item implements Node {
      id: ID! name: String price: Float! size: Int tags: [String!] grid: [[Int]!] next: Item!
    }
    type Other implements Node { id: ID! note: String }
    interface Node { id: ID! }
    union Any = Item | Other
    enum Color { RED BLUE }
    """
)
TYPES = SchemaTypes(SCHEMA)
ID, NAME, PRICE = out("id", "ID!"), out("name", "String"), out("price", "Float!")


def shape(output: list[OutputField], data: dict[str, Any], **flags: bool) -> tuple[Any, list[dict[str, Any]]]:
    root = build_root(tuple(output), "Query", TYPES, lambda one: flags[one.variable] is one.expected)
    exact = complete(root, data, [])
    verify = compile_verification(root)
    if verify is not None:
        try:
            verify(data)
        except FAULTS:
            pass
        else:
            assert exact == (data, [])
            assert list(data) == list(exact[0])
    for takes_numbers in (False, True):
        project = compile_projection(root, takes_numbers=takes_numbers)
        assert project is not None
        try:
            fast = project(data)
        except FAULTS:
            continue
        assert fast == exact[0]
        assert exact[1] == []
    return exact


@pytest.mark.parametrize(
    ("output", "data", "expected", "faults"),
    [
        pytest.param(
            [out("item", "Item", ID)], {"item": {"id": 3}}, {"item": {"id": "3"}}, [], id="a number for an ID"
        ),
        pytest.param([out("item", "Item", ID)], {"item": None}, {"item": None}, [], id="null in a nullable position"),
        pytest.param([out("item", "Item", ID)], {}, {"item": None}, [], id="missing in a nullable position"),
        pytest.param(
            [out("item", "Item", ID)], {"item": {}}, {"item": None}, [["item", "id"]], id="null bubbles to the parent"
        ),
        pytest.param(
            [out("items", "[Item]", ID)],
            {"items": [{"id": "1"}, {"id": None}]},
            {"items": [{"id": "1"}, None]},
            [["items", 1, "id"]],
            id="null bubbles to the list item",
        ),
        pytest.param(
            [out("strict", "[Item!]!", ID)],
            {"strict": [{"id": "1"}, {"id": None}]},
            None,
            [["strict", 1, "id"]],
            id="null bubbles to the root",
        ),
        pytest.param([out("item", "Item", ID)], {"item": []}, {"item": None}, [["item"]], id="a list for an object"),
        pytest.param(
            [out("items", "[Item]", ID)], {"items": {}}, {"items": None}, [["items"]], id="an object for a list"
        ),
        pytest.param(
            [out("item", "Item", out("tags", "[String!]"))],
            {"item": {"tags": ["a", None]}},
            {"item": {"tags": None}},
            [["item", "tags", 1]],
            id="null in a list of non-null leaves",
        ),
        pytest.param(
            [out("item", "Item", out("grid", "[[Int]!]"))],
            {"item": {"grid": [[1, None], [True]]}},
            {"item": {"grid": [[1, None], [None]]}},
            [["item", "grid", 1, 0]],
            id="a Boolean is no Int",
        ),
        pytest.param(
            [out("color", "Color")], {"color": "SECRET"}, {"color": None}, [["color"]], id="a hidden enum value"
        ),
        pytest.param(
            [out("colors", "[Color!]")],
            {"colors": ["RED", "X"]},
            {"colors": None},
            [["colors", 1]],
            id="hidden in a list",
        ),
        pytest.param(
            [out("node", "Node", ID)],
            {"node": {"__typename": "Hidden", "id": "1"}},
            {"node": None},
            [["node"]],
            id="a hidden type",
        ),
        pytest.param(
            [out("node", "Node", out("kind", "String!", name="__typename", source="__typename"), ID)],
            {"node": {"__typename": "Other", "id": "1"}},
            {"node": {"kind": "Other", "id": "1"}},
            [],
            id="a type name comes from the data",
        ),
        pytest.param(
            [out("item", "Item", out("__typename", "String!"), ID)],
            {"item": {"__typename": "Media", "id": "1"}},
            {"item": {"__typename": "Item", "id": "1"}},
            [],
            id="an object type is named by the schema",
        ),
        pytest.param(
            [out("any", "Any", out("id", "ID!", on=("Item",)), out("note", "String", on=("Other",)))],
            {"any": {"__typename": "Other", "note": "n", "id": "1"}},
            {"any": {"note": "n"}},
            [],
            id="fields by runtime type",
        ),
        pytest.param(
            [out("json", "JSON")], {"json": {"a": [1, None]}}, {"json": {"a": [1, None]}}, [], id="a custom scalar"
        ),
        pytest.param(
            [out("item", "Item", ID, NAME, PRICE)],
            {"item": {"id": "1", "name": 5, "price": 1}},
            {"item": {"id": "1", "name": None, "price": 1}},
            [["item", "name"]],
            id="a number for a String",
        ),
        pytest.param([out("item", "Item")], {"item": {}}, {"item": {}}, [], id="an object without fields"),
        pytest.param([out("__typename", "String!")], {}, {"__typename": "Query"}, [], id="the root's type name"),
    ],
)
def test_shaping(output, data, expected, faults):
    shaped, errors = shape(output, data)
    assert shaped == expected
    assert [error["path"] for error in errors] == faults


def test_fields_are_dropped_when_no_alternative_of_their_guards_holds():
    field = out("color", "Color", guards=((guard("a"), guard("b")), (guard("c", expected=False),)))
    assert shape([field], {"color": "RED"}, a=True, b=False, c=True)[0] == {}
    assert shape([field], {"color": "RED"}, a=True, b=True, c=True)[0] == {"color": "RED"}
    assert shape([field], {"color": "RED"}, a=False, b=False, c=False)[0] == {"color": "RED"}


def test_a_null_that_a_subgraph_explained_is_reported_once():
    root = build_root((out("item", "Item", ID),), "Query", TYPES, lambda _: True)
    given_errors = [{"message": "m", "path": ["item", "id"]}]
    assert complete(root, {"item": {"id": None}}, given_errors) == ({"item": None}, given_errors)


def test_thousands_of_faults_do_not_make_thousands_of_errors():
    _, errors = shape([out("items", "[Item]", ID)], {"items": [{} for _ in range(5000)]})
    assert len(errors) == 200


@pytest.mark.parametrize(
    ("text", "expected"), [("A", ("A", "")), ("A!", ("A", "!")), ("[A!]!", ("A", "![!")), ("[[A]!]", ("A", "[!["))]
)
def test_printed_types_are_read(text, expected):
    assert parse_type(text) == expected


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=2))
VALUES = st.recursive(
    LEAVES | st.sampled_from(["RED", "Item", "Other"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["__typename", "id", "name", "price", "tags", "grid", "next", "note"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)
NEXT = out("next", "Item!", ID, NAME)
OUTPUT = [
    out("item", "Item", ID, NAME, PRICE, out("tags", "[String!]"), out("grid", "[[Int]!]"), NEXT),
    out("items", "[Item]", ID, NEXT),
    out("node", "Node", out("__typename", "String!"), ID),
    out("any", "Any", out("price", "Float!", on=("Item",)), out("note", "String", on=("Other",))),
    out("color", "Color"),
]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["item", "items", "node", "any", "color"]), VALUES, max_size=5))
def test_both_ways_of_shaping_agree_on_any_data(data):
    shape(OUTPUT, data)


ITEM = out("item", "Item", ID, out("tags", "[String!]"), NEXT)
GOOD_ITEM = b'{"id":"1","tags":["a"],"next":{"id":"2","name":null}}'
GOOD_ITEMS = b'[{"id":"1","next":{"id":"2","name":"n"}},null]'
NUMBERS = b'{"id":1,"tags":["a"],"next":null}'
NULL_TOO_MANY = b'{"id":"1","tags":["a",null],"next":null}'
WRONG_LEAF = b'{"id":"1","tags":[2],"next":{"id":"2","name":""}}'


@pytest.mark.parametrize(
    ("body", "same"),
    [
        pytest.param(b'{"data":{"item":' + GOOD_ITEM + b',"items":' + GOOD_ITEMS + b"}}", True, id="the same"),
        pytest.param(b'{"data":{"item":null,"items":null}}', True, id="nulls"),
        pytest.param(b'{"data":{"items":null,"item":null}}', None, id="another order"),
        pytest.param(b'{"data":{"item":null,"items":null,"more":1}}', None, id="a key more"),
        pytest.param(b'{"data":{"item":null}}', None, id="a key less"),
        pytest.param(b'{"data":{"item":' + NULL_TOO_MANY + b',"items":null}}', None, id="a null too many"),
        pytest.param(b'{"data":{"item":' + WRONG_LEAF + b',"items":[]}}', None, id="a wrong leaf"),
        pytest.param(b'{"data":{"item":' + NUMBERS + b',"items":[]}}', None, id="a number for an ID"),
        pytest.param(b'{"data":{"item":null,"item":null,"items":null}}', False, id="a key twice"),
        pytest.param(b'{"data":{"item":null,"items":null},"extensions":{}}', False, id="something beside data"),
        pytest.param(b'{"data":{"item" : null,"items":null}}', False, id="blanks before a colon"),
    ],
)
def test_bytes_are_passed_on_only_when_they_are_the_answer(body, same):
    output = (ITEM, out("items", "[Item]", ID, NEXT))
    verify = compile_verification(build_root(output, "Query", TYPES, lambda _: True))
    assert verify is not None
    data = orjson.loads(body)["data"]
    try:
        found = is_same_text(body, verify(data))
    except FAULTS:
        found = None
    assert found is same


def test_aliases_that_differ_in_the_data_are_never_passed_on():
    root = build_root((out("item", "Item", out("key", "ID!", source="id")),), "Query", TYPES, lambda _: True)
    assert compile_verification(root) is None


def test_type_names_are_compared():
    field = out("item", "Item", out("__typename", "String!"), ID)
    verify = compile_verification(build_root((field,), "Query", TYPES, lambda _: True))
    assert verify is not None
    assert verify({"item": {"__typename": "Item", "id": "1"}}) == 3
    with pytest.raises(FAULTS):
        verify({"item": {"__typename": "Media", "id": "1"}})
