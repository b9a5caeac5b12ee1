"""What composition refuses: for each code the smallest subgraphs that cause it."""

from __future__ import annotations

import pytest

from gateway.composition import SubgraphSource, compose

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", '
    '"@requires", "@provides", "@override", "@inaccessible", "@tag", "@interfaceObject", "@composeDirective", '
    '"@authenticated", "@requiresScopes", "@policy", "@cost", "@listSize", "@context", "@fromContext", "@extends"])\n'
)
TAGS = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.12", import: ["@key", "@cacheTag"])\n'
QUERY = "type Query { a: Int }\n"
CONTEXT = LINK + (
    'type Query { a: T } type T @key(fields: "id") @context(name: "c") { id: ID! level: Int line: Line } '
    'type Line @key(fields: "id") { id: ID! fee(l: Int @fromContext(field: "$c { level }")): Int @shareable }'
)

CASES: dict[str, list[str]] = {
    "INVALID_GRAPHQL": [LINK + "type Query { a: Missing }"],
    "NO_QUERIES": [LINK + "type A { a: Int }"],
    "INVALID_LINK_IDENTIFIER": ['extend schema @link(url: "https://example.com")\n' + QUERY],
    "UNKNOWN_FEDERATION_LINK_VERSION": [
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.99")\n' + QUERY
    ],
    "UNKNOWN_LINK_VERSION": ['extend schema @link(url: "https://specs.apollo.dev/link/v9.0")\n' + QUERY],
    "INVALID_LINK_DIRECTIVE_USAGE": [
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@nope"])\n' + QUERY
    ],
    "LINK_IMPORT_NAME_MISMATCH": [
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: [{name: "@tag", as: "@t"}])\n'
        + QUERY,
        LINK + "type Query { b: Int }",
    ],
    "TYPE_KIND_MISMATCH": [LINK + QUERY + "type T { x: Int }", LINK + "type Query { b: Int } interface T { x: Int }"],
    "EXTENSION_WITH_NO_BASE": [LINK + QUERY + "extend type T { x: Int }"],
    "FIELD_TYPE_MISMATCH": [
        LINK + "type Query { a: T } type T { x: Int @shareable }",
        LINK + "type Query { b: T } type T { x: String @shareable }",
    ],
    "FIELD_ARGUMENT_TYPE_MISMATCH": [
        LINK + "type Query { a(x: Int): Int @shareable }",
        LINK + "type Query { a(x: String): Int @shareable }",
    ],
    "FIELD_ARGUMENT_DEFAULT_MISMATCH": [
        LINK + "type Query { a(x: Int = 1): Int @shareable }",
        LINK + "type Query { a(x: Int = 2): Int @shareable }",
    ],
    "REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH": [
        LINK + "type Query { a(x: Int!): Int @shareable }",
        LINK + "type Query { a: Int @shareable }",
    ],
    "REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH": [
        LINK + "type Query { a(i: I): Int } input I { x: Int! y: Int }",
        LINK + "type Query { b(i: I): Int } input I { y: Int }",
    ],
    "INPUT_FIELD_DEFAULT_MISMATCH": [
        LINK + "type Query { a(i: I): Int } input I { y: Int = 1 }",
        LINK + "type Query { b(i: I): Int } input I { y: Int = 2 }",
    ],
    "EMPTY_MERGED_INPUT_TYPE": [
        LINK + "type Query { a(i: I): Int } input I { x: Int }",
        LINK + "type Query { b(i: I): Int } input I { y: Int }",
    ],
    "ENUM_VALUE_MISMATCH": [
        LINK + "type Query { a(e: E): E } enum E { X Y }",
        LINK + "type Query { b(e: E): E } enum E { X }",
    ],
    "EMPTY_MERGED_ENUM_TYPE": [
        LINK + "type Query { a(e: E): Int } enum E { X }",
        LINK + "type Query { b(e: E): Int } enum E { Y }",
    ],
    "INVALID_FIELD_SHARING": [
        LINK + 'type Query { a: T } type T @key(fields: "id") { id: ID! x: Int }',
        LINK + 'type T @key(fields: "id") { id: ID! x: Int }',
    ],
    "INVALID_SHAREABLE_USAGE": [LINK + QUERY + "interface I { x: Int @shareable }"],
    "KEY_INVALID_FIELDS": [LINK + QUERY + 'type T @key(fields: "nope") { id: ID! }'],
    "KEY_INVALID_FIELDS_TYPE": [LINK + QUERY + 'type T @key(fields: ["id"]) { id: ID! }'],
    "KEY_FIELDS_HAS_ARGS": [LINK + QUERY + 'type T @key(fields: "id") { id(x: Int): ID! }'],
    "KEY_FIELDS_SELECT_INVALID_TYPE": [
        LINK + QUERY + 'type T @key(fields: "u { ... on A { x } }") { u: U } union U = A type A { x: Int }'
    ],
    "KEY_DIRECTIVE_IN_FIELDS_ARG": [LINK + QUERY + 'type T @key(fields: "id @include(if: true)") { id: ID! }'],
    "KEY_UNSUPPORTED_ON_INTERFACE": [
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key"])\n'
        + QUERY
        + 'interface I @key(fields: "id") { id: ID! }'
    ],
    "INTERFACE_KEY_NOT_ON_IMPLEMENTATION": [
        LINK + QUERY + 'interface I @key(fields: "id") { id: ID! } type T implements I { id: ID! }'
    ],
    "INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE": [
        LINK + 'type Query { a: I } interface I @key(fields: "id") { id: ID! } '
        'type T implements I @key(fields: "id") { id: ID! }',
        LINK + "interface I { id: ID! } type O implements I { id: ID! }",
    ],
    "INTERFACE_OBJECT_USAGE_ERROR": [LINK + QUERY + "type I @interfaceObject { id: ID! }"],
    "INTERFACE_FIELD_NO_IMPLEM": [
        LINK + "type Query { a: I } interface I { x: Int } type T implements I { x: Int @shareable }",
        LINK + "type Query { b: I } interface I { x: Int y: Int } type O implements I { x: Int y: Int }",
    ],
    "REQUIRES_INVALID_FIELDS": [LINK + QUERY + 'type T { x: Int @requires(fields: "nope") }'],
    "REQUIRES_INVALID_FIELDS_TYPE": [LINK + QUERY + "type T { y: Int x: Int @requires(fields: y) }"],
    "REQUIRES_DIRECTIVE_IN_FIELDS_ARG": [
        LINK + QUERY + 'type T { y: Int x: Int @requires(fields: "y @skip(if: true)") }'
    ],
    "REQUIRES_FIELDS_MISSING_EXTERNAL": [LINK + QUERY + 'type T { y: Int x: Int @requires(fields: "y") }'],
    "REQUIRES_UNSUPPORTED_ON_INTERFACE": [LINK + QUERY + 'interface T { y: Int x: Int @requires(fields: "y") }'],
    "PROVIDES_ON_NON_OBJECT_FIELD": [LINK + 'type Query { a: Int @provides(fields: "x") }'],
    "PROVIDES_INVALID_FIELDS": [LINK + 'type Query { a: T @provides(fields: "nope") } type T { x: Int }'],
    "PROVIDES_INVALID_FIELDS_TYPE": [LINK + "type Query { a: T @provides(fields: x) } type T { x: Int }"],
    "PROVIDES_DIRECTIVE_IN_FIELDS_ARG": [
        LINK + 'type Query { a: T @provides(fields: "x @skip(if: true)") } type T { x: Int }'
    ],
    "PROVIDES_FIELDS_MISSING_EXTERNAL": [LINK + 'type Query { a: T @provides(fields: "x") } type T { x: Int }'],
    "PROVIDES_FIELDS_HAS_ARGS": [
        LINK + 'type Query { a: T @provides(fields: "x") } type T { x(y: Int): Int @external }'
    ],
    "PROVIDES_UNSUPPORTED_ON_INTERFACE": [
        LINK + QUERY + 'interface I { a: T @provides(fields: "x") } type T { x: Int }'
    ],
    "EXTERNAL_UNUSED": [LINK + QUERY + "type T { x: Int @external y: Int }", LINK + "type T { x: Int @shareable }"],
    "EXTERNAL_ON_INTERFACE": [LINK + QUERY + "interface I { x: Int @external }"],
    "EXTERNAL_MISSING_ON_BASE": [
        LINK
        + 'type Query { a: T } type T @key(fields: "id") { id: ID! x: Int @external y: Int @requires(fields: "x") }'
    ],
    "EXTERNAL_TYPE_MISMATCH": [
        LINK
        + 'type Query { a: T } type T @key(fields: "id") { id: ID! x: Int @external y: Int @requires(fields: "x") }',
        LINK + 'type T @key(fields: "id") { id: ID! x: String }',
    ],
    "EXTERNAL_ARGUMENT_MISSING": [
        LINK
        + 'type Query { a: T } type T @key(fields: "id") { id: ID! x: Int @external y: Int @requires(fields: "x") }',
        LINK + 'type T @key(fields: "id") { id: ID! x(n: Int): Int }',
    ],
    "EXTERNAL_ARGUMENT_TYPE_MISMATCH": [
        LINK + 'type Query { a: T } type T @key(fields: "id") { id: ID! x(n: String): Int @external '
        'y: Int @requires(fields: "x(n: 1)") }',
        LINK + 'type T @key(fields: "id") { id: ID! x(n: Int): Int }',
    ],
    "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH": [
        LINK + 'type Query { a: T } type T @key(fields: "id") { id: ID! x(n: Int = 1): Int @external '
        'y: Int @requires(fields: "x") }',
        LINK + 'type T @key(fields: "id") { id: ID! x(n: Int = 2): Int }',
    ],
    "EXTERNAL_COLLISION_WITH_ANOTHER_DIRECTIVE": [
        LINK + 'type Query { a: T @external @provides(fields: "x") } type T { x: Int @external }',
        LINK + "type Query { a: T } type T { x: Int }",
    ],
    "MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL": [
        LINK
        + 'type Query { a: T } type T @key(fields: "id") { id: ID! x: Int @external @tag(name: "t") '
        + 'y: Int @requires(fields: "x") }',
        LINK + 'type T @key(fields: "id") { id: ID! x: Int }',
    ],
    "OVERRIDE_FROM_SELF_ERROR": [LINK + 'type Query { a: Int @override(from: "s0") }'],
    "OVERRIDE_ON_INTERFACE": [LINK + QUERY + 'interface I { x: Int @override(from: "other") }'],
    "OVERRIDE_LABEL_INVALID": [
        LINK + 'type Query { a: Int @override(from: "s1", label: "percent(101)") }',
        LINK + "type Query { a: Int }",
    ],
    "OVERRIDE_SOURCE_HAS_OVERRIDE": [
        LINK + 'type Query { a: Int @override(from: "s1") }',
        LINK + 'type Query { a: Int @override(from: "s0") }',
    ],
    "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE": [
        LINK
        + 'type Query { a: T } type T @key(fields: "id") { id: ID! y: Int @external '
        + 'x: Int @override(from: "s1") @requires(fields: "y") }',
        LINK + 'type T @key(fields: "id") { id: ID! y: Int x: Int }',
    ],
    "REFERENCED_INACCESSIBLE": [LINK + "type Query { a: T b: Int } type T @inaccessible { x: Int }"],
    "ONLY_INACCESSIBLE_CHILDREN": [LINK + "type Query { a: T } type T { x: Int @inaccessible }"],
    "REQUIRED_INACCESSIBLE": [LINK + "type Query { a(x: Int! @inaccessible): Int }"],
    "QUERY_ROOT_TYPE_INACCESSIBLE": [LINK + "type Query @inaccessible { a: Int }"],
    "IMPLEMENTED_BY_INACCESSIBLE": [
        LINK + "type Query { a: I } interface I { x: Int } type T implements I { x: Int @inaccessible y: Int }"
    ],
    "DEFAULT_VALUE_USES_INACCESSIBLE": [LINK + "type Query { a(e: E = Y): Int } enum E { X Y @inaccessible }"],
    "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE": [
        LINK + "type Query { a: I } interface I @authenticated { x: Int } type T implements I { x: Int }"
    ],
    "MISSING_TRANSITIVE_AUTH_REQUIREMENTS": [
        LINK
        + 'type Query { a: T } type T @key(fields: "id") { id: ID! x: Int @external y: Int @requires(fields: "x") }',
        LINK + 'type T @key(fields: "id") { id: ID! x: Int @authenticated }',
    ],
    "DIRECTIVE_COMPOSITION_ERROR": [
        LINK.replace("extend schema", 'extend schema @composeDirective(name: "@nope")') + QUERY
    ],
    "LIST_SIZE_APPLIED_TO_NON_LIST": [LINK + "type Query { a: Int @listSize(assumedSize: 1) }"],
    "LIST_SIZE_INVALID_ASSUMED_SIZE": [LINK + "type Query { a: [Int] @listSize(assumedSize: -1) }"],
    "LIST_SIZE_INVALID_SLICING_ARGUMENT": [LINK + 'type Query { a: [Int] @listSize(slicingArguments: ["first"]) }'],
    "LIST_SIZE_INVALID_SIZED_FIELD": [
        LINK + 'type Query { a: T @listSize(assumedSize: 1, sizedFields: ["x"]) } type T { x: Int }'
    ],
    "COST_APPLIED_TO_INTERFACE_FIELD": [
        LINK + "type Query { a: I } interface I { x: Int @cost(weight: 2) } type T implements I { x: Int }"
    ],
    "CACHE_TAG_INVALID_FORMAT": [TAGS + 'type Query { a(x: Int): Int @cacheTag(format: "a-{$args.x") }'],
    "CACHE_TAG_NOT_ON_ROOT_FIELD": [TAGS + 'type Query { a: T } type T { x: Int @cacheTag(format: "x") }'],
    "CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ROOT_FIELD": [
        TAGS + 'type Query { a(x: Int): Int @cacheTag(format: "a-{$key.x}") }'
    ],
    "CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ENTITY": [
        TAGS + QUERY + 'type T @key(fields: "id") @cacheTag(format: "t-{$args.id}") { id: ID! }'
    ],
    "CACHE_TAG_INVALID_FORMAT_FIELD_SET_ON_ENTITY": [
        TAGS + QUERY + 'type T @key(fields: "id") @cacheTag(format: "t-{$key.x}") { id: ID! x: Int }'
    ],
    "CACHE_TAG_ENTITY_NOT_RESOLVABLE": [TAGS + QUERY + 'type T @cacheTag(format: "t") { x: Int }'],
    "CONTEXT_NAME_INVALID": [LINK + 'type Query { a: T } type T @context(name: "my_c") { x: Int }'],
    "NO_CONTEXT_IN_SELECTION": [CONTEXT.replace("$c { level }", "{ level }")],
    "CONTEXT_NOT_SET": [CONTEXT.replace("$c", "$other")],
    "CONTEXT_INVALID_SELECTION": [CONTEXT.replace("{ level }", "{ level id }")],
    "CONTEXT_NO_RESOLVABLE_KEY": [CONTEXT.replace('type Line @key(fields: "id")', "type Line")],
    "CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS": [
        CONTEXT,
        LINK + 'type Line @key(fields: "id") { id: ID! fee(l: Int!): Int @shareable }',
    ],
    "DIRECTIVE_DEFINITION_INVALID": [LINK + QUERY + "directive @tag(label: String) on OBJECT"],
    "TYPE_DEFINITION_INVALID": [LINK + QUERY + "input federation__FieldSet { x: Int }"],
    "TYPE_WITH_ONLY_UNUSED_EXTERNAL": [
        "type Query { a: T } extend type T { x: Int @external }",
        "type T { x: Int }",
    ],
    "DISALLOWED_INACCESSIBLE": [LINK + QUERY + 'scalar tag__Mark @inaccessible type T @tag(name: "t") { x: Int }'],
    "SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES": [
        LINK + "type Query { u: U @shareable } union U = A type A { x: Int }",
        LINK + "type Query { u: U @shareable } union U = B type B { x: Int }",
    ],
    "ROOT_QUERY_USED": [LINK + "schema { query: Root } type Root { a: Int } type Query { b: Int }"],
    "ROOT_MUTATION_USED": [
        LINK + QUERY + "schema { query: Query mutation: M } type M { b: Int } type Mutation { c: Int }"
    ],
    "ROOT_SUBSCRIPTION_USED": [
        LINK + QUERY + "schema { query: Query subscription: S } type S { b: Int } type Subscription { c: Int }"
    ],
    "SATISFIABILITY_ERROR": [
        LINK + 'type Query { a: T } type T @key(fields: "id") { id: ID! }',
        LINK + 'type T @key(fields: "other") { other: ID! x: Int }',
    ],
}


def sources(sdl: list[str]) -> list[SubgraphSource]:
    return [SubgraphSource(f"s{number}", f"http://s{number}.example", text) for number, text in enumerate(sdl)]


@pytest.mark.parametrize(("code", "sdl"), CASES.items(), ids=CASES.keys())
def test_subgraphs_are_refused_with_the_code_and_a_place(code: str, sdl: list[str]) -> None:
    composition = compose(sources(sdl))

    assert not composition.ok
    assert composition.supergraph is None
    assert code in {error.code for error in composition.errors}
    assert all(error.message and error.subgraphs for error in composition.errors)
    assert all(error.locations for error in composition.errors) or code == "NO_QUERIES"


@pytest.mark.parametrize("name", ["", "_hidden"])
def test_a_subgraph_needs_a_usable_name(name: str) -> None:
    composition = compose([SubgraphSource(name, "http://x.example", QUERY)])

    assert {error.code for error in composition.errors} == {"INVALID_SUBGRAPH_NAME"}


def test_two_subgraphs_of_one_name_are_refused() -> None:
    composition = compose([SubgraphSource("a", "", QUERY), SubgraphSource("a", "", QUERY)])

    assert "INVALID_SUBGRAPH_NAME" in {error.code for error in composition.errors}


def test_no_subgraphs_are_refused() -> None:
    assert not compose([]).ok


def test_an_interface_that_resolves_a_key_has_implementations_that_do() -> None:
    sdl = LINK + (
        'type Query { a: I } interface I @key(fields: "id") { id: ID! } '
        'type T implements I @key(fields: "id", resolvable: false) { id: ID! }'
    )

    assert {error.code for error in compose(sources([sdl])).errors} == {"INTERFACE_KEY_NOT_ON_IMPLEMENTATION"}


def test_a_syntax_error_names_line_and_column() -> None:
    composition = compose([SubgraphSource("a", "", "type Query {\n  a: \n}", file="a.graphql")])

    assert "a.graphql:3:1" in composition.errors[0].message


def test_every_error_of_a_phase_is_reported_at_once() -> None:
    broken = LINK + QUERY + 'type T @key(fields: "nope") { id: ID! } type U @key(fields: "none") { id: ID! }'

    assert {error.coordinate for error in compose(sources([broken])).errors} == {"T", "U"}


def test_a_location_points_at_the_directive_at_fault() -> None:
    broken = LINK + QUERY + '\ntype T @key(fields: "nope") { id: ID! }'
    place = compose(sources([broken])).errors[0].locations[0]

    assert (place.subgraph, place.line, place.column) == ("s0", 4, 8)


def test_fields_that_require_each_other_end_with_an_error_or_a_plan_but_not_a_crash() -> None:
    one = (
        LINK
        + 'type Query { t: T } type T @key(fields: "id") { id: ID! a: Int @requires(fields: "b") b: Int @external }'
    )
    two = LINK + 'type T @key(fields: "id") { id: ID! b: Int @requires(fields: "a") a: Int @external }'

    assert {error.code for error in compose(sources([one, two])).errors} == {"SATISFIABILITY_ERROR"}
