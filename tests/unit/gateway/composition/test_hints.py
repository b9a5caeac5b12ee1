"""What composition accepts but remarks on: for each code the smallest subgraphs that cause it."""

from __future__ import annotations

import pytest

from gateway.composition import SubgraphSource, compose

NAMES = (
    '"@key", "@shareable", "@external", "@requires", "@override", '
    '"@interfaceObject", "@composeDirective", "@tag", "@cost"'
)


def link(version: str = "v2.9", names: str = NAMES, more: str = "") -> str:
    return f'extend schema @link(url: "https://specs.apollo.dev/federation/{version}", import: [{names}]) {more}\n'


LINK = link()
QUERY = "type Query { a: Int }\n"
OTHER = "type Query { b: Int }\n"
PET = LINK + "type Query { pet: Pet @shareable } union Pet = Cat | Dog type Cat { c: Int @shareable } "
MARKED = '@link(url: "https://crossdock.example/mark/{}", import: ["@mark"])'
MARK = " directive @mark on FIELD_DEFINITION "

CASES: dict[str, list[str]] = {
    "DIRECTIVE_COMPOSITION_INFO": [link(more='@composeDirective(name: "@tag")') + QUERY],
    "DIRECTIVE_COMPOSITION_WARN": [
        link(more=MARKED.format("v1.0") + ' @composeDirective(name: "@mark")') + QUERY + MARK,
        link(more=MARKED.format("v1.0").replace('"@mark"', '{name: "@mark", as: "@sign"}'))
        + OTHER
        + MARK.replace("mark", "sign"),
    ],
    "FROM_SUBGRAPH_DOES_NOT_EXIST": [LINK + 'type Query { a: Int @override(from: "gone") }'],
    "IMPLICITLY_UPGRADED_FEDERATION_VERSION": [
        link("v2.0", '"@key"', '@link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost"])') + QUERY
    ],
    "INCONSISTENT_ARGUMENT_PRESENCE": [
        LINK + "type Query { a(x: Int): Int @shareable }",
        LINK + "type Query { a: Int @shareable }",
    ],
    "INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE": [
        LINK + "type Query { a(x: Int!): Int @shareable }",
        LINK + "type Query { a(x: Int): Int @shareable }",
    ],
    "INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE": [
        LINK + "type Query { a: Int! @shareable }",
        LINK + "type Query { a: Int @shareable }",
    ],
    "INCONSISTENT_DEFAULT_VALUE_PRESENCE": [
        LINK + "type Query { a(x: Int = 1): Int @shareable }",
        LINK + "type Query { a(x: Int): Int @shareable }",
    ],
    "INCONSISTENT_DESCRIPTION": [LINK + QUERY + '"one" scalar Day', LINK + OTHER + '"another" scalar Day'],
    "INCONSISTENT_ENTITY": [
        LINK + 'type Query { a: T } type T @key(fields: "id") { id: ID! @shareable }',
        LINK + "type Query { b: T } type T { id: ID! @shareable }",
    ],
    "INCONSISTENT_ENUM_VALUE_FOR_INPUT_ENUM": [
        LINK + "type Query { a(e: E): Int } enum E { X Y }",
        LINK + "type Query { b(e: E): Int } enum E { X }",
    ],
    "INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM": [
        LINK + "type Query { a: E } enum E { X Y }",
        LINK + "type Query { b: E } enum E { X }",
    ],
    "INCONSISTENT_EXECUTABLE_DIRECTIVE_LOCATIONS": [
        LINK + QUERY + "directive @slow on FIELD | QUERY",
        LINK + OTHER + "directive @slow on FIELD",
    ],
    "INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE": [LINK + QUERY + "directive @slow on FIELD", LINK + OTHER],
    "INCONSISTENT_EXECUTABLE_DIRECTIVE_REPEATABLE": [
        LINK + QUERY + "directive @slow repeatable on FIELD",
        LINK + OTHER + "directive @slow on FIELD",
    ],
    "INCONSISTENT_INPUT_OBJECT_FIELD": [
        LINK + "type Query { a(i: I): Int } input I { x: Int y: Int }",
        LINK + "type Query { b(i: I): Int } input I { y: Int }",
    ],
    "INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD": [
        LINK + "type Query { a: I } interface I { x: Int y: Int } type T implements I { x: Int y: Int }",
        LINK + "type Query { b: I } interface I { x: Int } type U implements I { x: Int y: Int }",
    ],
    "INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS": [
        LINK + 'type Query { a: Int @shareable @deprecated(reason: "one") }',
        LINK + 'type Query { a: Int @shareable @deprecated(reason: "another") }',
    ],
    "INCONSISTENT_OBJECT_VALUE_TYPE_FIELD": [
        LINK + "type Query { a: T } type T { x: Int @shareable y: Int }",
        LINK + OTHER + "type T { x: Int @shareable }",
    ],
    "INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN": [
        PET + "type Dog { d: Int @shareable }",
        PET.replace("Cat | Dog", "Cat"),
    ],
    "INCONSISTENT_UNION_MEMBER": [
        LINK + "type Query { a: U } union U = T type T { x: Int }",
        LINK + "type Query { b: U } union U = O type O { x: Int }",
    ],
    "MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS": [
        LINK + "type Query { a: Int @shareable @cost(weight: 1) }",
        LINK + "type Query { a: Int @shareable @cost(weight: 2) }",
    ],
    "NO_EXECUTABLE_DIRECTIVE_INTERSECTION": [
        LINK + QUERY + "directive @slow on FIELD",
        LINK + OTHER + "directive @slow on QUERY",
    ],
    "OVERRIDDEN_FIELD_CAN_BE_REMOVED": [LINK + 'type Query { a: Int @override(from: "s1") }', LINK + QUERY],
    "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED": [LINK + 'type Query { a: Int @override(from: "s1") }', LINK + OTHER],
    "OVERRIDE_MIGRATION_IN_PROGRESS": [
        LINK + 'type Query { a: Int @override(from: "s1", label: "percent(10)") }',
        LINK + QUERY,
    ],
    "UNUSED_ENUM_TYPE": [LINK + QUERY + "enum E { X }"],
}


@pytest.mark.parametrize(("code", "sdl"), CASES.items(), ids=CASES.keys())
def test_harmless_differences_are_hints_with_a_place(code: str, sdl: list[str]) -> None:
    composition = compose([SubgraphSource(f"s{number}", "", text) for number, text in enumerate(sdl)])

    assert composition.ok, composition.errors
    found = [hint for hint in composition.hints if hint.code == code]
    assert found
    assert all(hint.message and hint.subgraphs and hint.locations for hint in found)
