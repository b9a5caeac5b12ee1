"""Each limit of an operation: what is just allowed, what is refused, and that a refusal is quick."""

from __future__ import annotations

import time
from functools import cache

import pytest

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.errors import RequestError
from gateway.operation import parse_operation
from gateway.operation.parse import MAX_NESTING
from gateway.policies.introspection import IntrospectionPolicy
from gateway.policies.operation_limits import MAX_INTROSPECTION_FIELDS, MAX_LEVELS, OperationLimits
from gateway.policies.variable_limits import MAX_DEPTH, VariableLimits
from gateway.server.principal import ANONYMOUS, Principal
from gateway.supergraph import Supergraph, parse_supergraph

SDL = "type Query { n(a: [[In]]): Node text(of: String): Int } type Node { id: ID! n: Node } input In { a: In }"
WIDE = OperationLimits(depth=50, height=20_000, aliases=300, root_fields=100, directives=500, introspection_depth=2)
QUICK_S = 10.0
"""No refusal may take longer, on any machine; each takes some hundredths of a second."""


@cache
def supergraph() -> Supergraph:
    return parse_supergraph(str(compose_or_raise([SubgraphSource(name="s", url="http://s", sdl=SDL)]).supergraph))


def refusal(text: str, limits: OperationLimits = WIDE, max_tokens: int = 15_000) -> str | None:
    """Return the name of the limit that refuses a document, its code when no limit does, None when it is accepted."""
    started = time.perf_counter()
    try:
        parse_operation(supergraph(), text, max_tokens=max_tokens, check=limits.check)
    except RequestError as error:
        assert time.perf_counter() - started < QUICK_S
        return str(error.extensions.get("limit", error.code))
    return None


def only(**limits: int) -> OperationLimits:
    most = {name: getattr(WIDE, name) for name in WIDE.__slots__}
    return OperationLimits(**{**most, **limits})


FRAGMENT = " fragment F on Node { x: id n { y: id @skip(if: false) } }"


@pytest.mark.parametrize(
    ("limit", "counted", "text"),
    [
        pytest.param("depth", 3, "{ n { n { id } } }", id="fields below one another"),
        pytest.param("depth", 3, "{ n { ...F } }" + FRAGMENT, id="depth through a fragment"),
        pytest.param("depth", 2, "{ n { ... { id } } }", id="an inline fragment is no level"),
        pytest.param("height", 3, "{ n { id id } }", id="selected fields"),
        pytest.param("height", 7, "{ n { ...F ...F } }" + FRAGMENT, id="a fragment counts as often as it is spread"),
        pytest.param("aliases", 2, "{ a: n { b: id } }", id="aliases"),
        pytest.param("aliases", 4, "{ n { ...F ...F } }" + FRAGMENT, id="aliases in a fragment"),
        pytest.param("root_fields", 2, "{ n { id id id } text }", id="root fields"),
        pytest.param("root_fields", 2, "{ ... { n { id } text } }", id="root fields in a fragment"),
        pytest.param("directives", 2, "{ n @skip(if: false) { id @include(if: true) } }", id="directives"),
        pytest.param("directives", 2, "{ n { ...F ...F } }" + FRAGMENT, id="directives in a fragment"),
        pytest.param("introspection_depth", 1, "{ __schema { types { fields { name } } } }", id="introspection lists"),
    ],
)
def test_an_operation_at_the_limit_is_allowed_and_one_above_it_is_refused(limit, counted, text):
    assert refusal(text, only(**{limit: counted})) is None
    assert refusal(text, only(**{limit: counted - 1})) == f"max_{limit}"


def test_lexing_stops_at_the_most_tokens():
    assert refusal("{ n { id } }", max_tokens=6) is None
    assert refusal("{ n { id } }", max_tokens=5) == "max_tokens"


def test_the_message_says_how_many_there_are_and_how_many_may_be():
    with pytest.raises(RequestError) as caught:
        parse_operation(supergraph(), "{ a: text b: text }", check=only(aliases=1).check)
    assert caught.value.message == "the operation has 2 aliases; 1 are allowed"
    assert caught.value.extensions == {"limit": "max_aliases", "most": 1}


def chain(length: int, link: str) -> str:
    links = " ".join(f"fragment F{i} on Node {{ {link.replace('NEXT', f'F{i + 1}')} }}" for i in range(length))
    return f"{{ n {{ ...F0 }} }} {links} fragment F{length} on Node {{ id }}"


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        pytest.param("comparisons", "{ n {" + " id" * 7000 + "} }", id="one field thousands of times"),
        pytest.param(
            "comparisons", "{" + (" n { n {" + " id" * 30 + "} }") * 99 + "}", id="equal fields inside equal fields"
        ),
        pytest.param("comparisons", "{ n {" + " ...F" * 3000 + "} } fragment F on Node { id }", id="equal fragments"),
        pytest.param("max_aliases", "{ n {" + "".join(f" a{i}: id" for i in range(4800)) + "} }", id="aliases"),
        pytest.param("max_height", chain(40, "...NEXT ...NEXT"), id="fragments that double"),
        pytest.param("max_height", chain(40, "n { ...NEXT } n { ...NEXT }"), id="fields with fragments that double"),
        pytest.param("levels", chain(1000, "...NEXT"), id="a long chain of fragments"),
        pytest.param("levels", "{ text } " + chain(1000, "...NEXT")[16:], id="a long chain that nothing uses"),
        pytest.param("nesting", "{" + "n {" * 5000 + "id" + "}" * 5001, id="braces"),
        pytest.param("nesting", "{ n(a: " + "[" * 5000 + "]" * 5000 + ") { id } }", id="lists in a value"),
        pytest.param("nesting", "query($v: " + "[" * 5000 + "Int" + "]" * 5000 + ") { text }", id="lists in a type"),
        pytest.param(
            "introspection_fields",
            "{ __schema { types {" + "name " * (MAX_INTROSPECTION_FIELDS + 1) + "} } }",
            id="wide introspection",
        ),
        pytest.param(
            "GRAPHQL_VALIDATION_FAILED",
            "{ n { ...A } } fragment A on Node { n { ...B ...B } } fragment B on Node { n { ...A ...A } }",
            id="fragments in a circle",
        ),
        pytest.param(
            "GRAPHQL_VALIDATION_FAILED", "{" + "".join(f" u{i}" for i in range(99)) + "}", id="unknown fields"
        ),
        pytest.param("GRAPHQL_PARSE_FAILED", '{ text(of: "' + '\\"{' * 5000, id="a string without an end"),
    ],
)
def test_a_hostile_document_is_refused_in_bounded_time(limit, text):
    assert refusal(text) == limit


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{ text(of: "' + "{[(" * 500 + '") }', id="brackets in a string"),
        pytest.param('{ text(of: """' + '{ \\""" "" ' * 500 + '""") }', id="brackets in a block string"),
        pytest.param("{ text } # " + "{" * 500, id="brackets in a comment"),
        pytest.param("{" + "n {" * 48 + "n { id }" + "}" * 49, id="fields as deep as they may be"),
        pytest.param("{ n {" + "... {" * (MAX_NESTING - 2) + "id" + "}" * MAX_NESTING, id="brackets as deep as may be"),
        pytest.param(chain(MAX_LEVELS - 3, "...NEXT"), id="fragments as deep as they may be"),
        pytest.param("{ n {" + " id" * 600 + "} }", id="one field hundreds of times"),
    ],
)
def test_what_only_looks_hostile_is_allowed(text):
    assert refusal(text) is None


def nested(depth: int) -> dict:
    value: dict = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({"a": "x" * 92}, None),
        ({"a": "x" * 93}, "max_variables_bytes"),
        (nested(11), None),
    ],
)
def test_variables_have_a_size(variables, limit):
    check_variables(VariableLimits(max_bytes=100), variables, limit)


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        (nested(MAX_DEPTH), None),
        (nested(MAX_DEPTH + 1), "variables_depth"),
        (nested(900), "variables_depth"),
        ({"a": [[]] * 1000}, None),
    ],
    ids=["as deep as may be", "one deeper", "deeper than can be written", "wide"],
)
def test_variables_have_a_depth(variables, limit):
    check_variables(VariableLimits(max_bytes=100_000), variables, limit)


def check_variables(limits: VariableLimits, variables: dict, limit: str | None) -> None:
    if limit is None:
        limits.check(variables)
        return
    with pytest.raises(RequestError) as caught:
        limits.check(variables)
    assert caught.value.extensions["limit"] == limit


@pytest.mark.parametrize(
    ("policy", "principal", "is_closed"),
    [
        (IntrospectionPolicy(), ANONYMOUS, False),
        (IntrospectionPolicy(enabled=False), Principal("a", frozenset({"s"})), True),
        (IntrospectionPolicy(scopes=frozenset({"s"})), ANONYMOUS, True),
        (IntrospectionPolicy(scopes=frozenset({"s"})), Principal("a", frozenset({"s", "t"})), False),
        (IntrospectionPolicy(scopes=frozenset({"s", "u"})), Principal("a", frozenset({"s", "t"})), True),
    ],
    ids=["open", "disabled", "without the scope", "with the scope", "with one of two scopes"],
)
@pytest.mark.parametrize("text", ["{ __schema { queryType { name } } }", '{ text t: __type(name: "Node") { name } }'])
def test_introspection_is_open_to_who_may_ask(policy, principal, is_closed, text):
    operation = parse_operation(supergraph(), text)
    closed = policy.closed_for(principal)
    policy.check(parse_operation(supergraph(), "{ __typename }"), closed)
    if not is_closed:
        policy.check(operation, closed)
        return
    with pytest.raises(RequestError) as caught:
        policy.check(operation, closed)
    assert caught.value.code == "INTROSPECTION_DISABLED"
