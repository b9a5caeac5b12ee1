from __future__ import annotations

import pytest
from graphql import build_schema, parse

from gateway.errors import ErrorCode, RequestError
from gateway.operation.variables import VariableChecker

SCHEMA = build_schema(
    """
    scalar Money
    enum Size { S M }
    input Line { sku: String!, qty: Int! = 1, note: String, size: Size, more: [Line!] }
    input Either @oneOf { id: ID, name: String }
    directive @oneOf on INPUT_OBJECT
    type Query { a: Int }
    """.replace("directive @oneOf on INPUT_OBJECT", "")
)


def check(definitions: str, values: dict | None):
    operation = parse(f"query({definitions}) {{ a }}").definitions[0]
    return VariableChecker(tuple(operation.variable_definitions), SCHEMA).check(values)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("Int", 3),
        ("Int", None),
        ("Int", 3.0),
        ("Float", 3),
        ("Float", 3.5),
        ("String!", "x"),
        ("ID", "x"),
        ("ID", 7),
        ("Boolean", False),
        ("Money", {"any": ["thing"]}),
        ("Size", "S"),
        ("[Int!]", [1, 2]),
        ("[Int!]", 1),
        ("[[Int]]", [[1, None], None]),
        ("Line", {"sku": "a"}),
        ("Line", {"sku": "a", "more": [{"sku": "b", "more": {"sku": "c"}}]}),
        ("Either", {"id": 1}),
    ],
)
def test_values_that_fit_are_passed_on_as_they_are(type_, value):
    found = check(f"$x: {type_}", {"x": value, "unknown": 1})
    assert found.values == {"x": value}
    assert found.values["x"] is value


@pytest.mark.parametrize(
    ("type_", "value", "message"),
    [
        ("Int", "3", "$x: Int cannot be '3'"),
        ("Int", True, "$x: Int cannot be true"),
        ("Int", 2**31, "$x: Int cannot be 2147483648"),
        ("Int", 1.5, "$x: Int cannot be 1.5"),
        ("Float", "1", "$x: Float cannot be '1'"),
        ("String", 3, "$x: String cannot be 3"),
        ("ID", True, "$x: ID cannot be true"),
        ("Boolean", 1, "$x: Boolean cannot be 1"),
        ("String!", None, "$x: String! cannot be null"),
        ("Size", "XL", "$x: 'XL' is no value of Size; it has M, S"),
        ("[Int!]", [1, None], "$x[1]: Int! cannot be null"),
        ("Line", [], "$x: an object of type Line is expected, not a list"),
        ("Line", {}, "$x.sku: a value of type String! is required and none was given"),
        ("Line", {"sku": "a", "colour": 1}, "$x.colour: Line has no such field; it has more, note, qty, size, sku"),
        ("Line", {"sku": "a", "more": [{"sku": "b", "qty": "c"}]}, "$x.more[0].qty: Int cannot be 'c'"),
        ("Either", {"id": 1, "name": "a"}, "$x: exactly one field of Either must be given, and not null"),
        ("Either", {"id": None}, "$x: exactly one field of Either must be given, and not null"),
        ("String", {"long": 1}, "$x: String cannot be an object"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(type_, value, message):
    with pytest.raises(RequestError) as caught:
        check(f"$x: {type_}", {"x": value})
    assert caught.value.code is ErrorCode.BAD_USER_INPUT
    assert caught.value.message == f"invalid variables: {message}"


def test_all_variables_at_fault_are_named():
    with pytest.raises(RequestError, match=r"\$a: .* is required.*; \$b: Int cannot be 'x'"):
        check("$a: Int!, $b: Int", {"b": "x"})


def test_a_left_out_variable_has_its_default_apart_from_what_is_sent():
    found = check("$a: Boolean! = true, $b: [Int] = [1], $c: Int", {})
    assert found.values == {}
    assert found.defaults == {"a": True, "b": [1]}
    assert check("$a: Boolean = true", {"a": None}).defaults == {}


def test_thousands_of_faults_are_cut_short():
    with pytest.raises(RequestError) as caught:
        check("$x: [Int]", {"x": ["a"] * 5000})
    assert caught.value.message.count(";") < 25
