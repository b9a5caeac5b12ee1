"""Definitions of the specifications' own directives and types that a subgraph writes out.

They may say less than the specification (fewer places, no repetition, an optional argument left out or made
mandatory), never more or something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from graphql import parse, print_ast, value_from_ast_untyped
from graphql.language import (
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    InputValueDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    ScalarTypeDefinitionNode,
    TypeDefinitionNode,
    TypeNode,
)

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.prelude import LINK_SIGNATURE, SIGNATURES
from gateway.composition.subgraph_set import Subgraph

__all__ = ["check_definitions"]

_SCALARS = ("FieldSet", "Scope", "Policy", "ContextFieldValue", "Import")
_PURPOSES = {"SECURITY", "EXECUTION"}
_BUILT_IN = frozenset({"Int", "Float", "String", "Boolean", "ID"})
_LOOSE_IN_FEDERATION_1 = frozenset({"key", "requires", "provides"})


def check_definitions(subgraph: Subgraph, document: DocumentNode, diagnostics: Diagnostics) -> bool:
    """Report definitions that contradict the specification; return whether there are none."""
    faults = [*_directive_faults(subgraph), *_type_faults(subgraph, document)]
    for code, name, message, node in faults:
        diagnostics.error(code, f"[{subgraph.name}] {name}: {message}", coordinate=name, at=[(subgraph.name, node)])
    return not faults


_Fault = tuple[Fault, str, str, DirectiveDefinitionNode | TypeDefinitionNode]


def _directive_faults(subgraph: Subgraph) -> Iterator[_Fault]:
    for name, node in subgraph.directive_definitions.items():
        canonical = "link" if name == "link" else subgraph.names.get(name)
        if canonical is None or (subgraph.is_fed1 and canonical in _LOOSE_IN_FEDERATION_1):
            continue
        for message in _Comparison(subgraph, _expected(canonical), node).faults():
            yield Fault.DIRECTIVE_DEFINITION_INVALID, f"@{name}", message, node


def _type_faults(subgraph: Subgraph, document: DocumentNode) -> Iterator[_Fault]:
    for node in document.definitions:
        if not isinstance(node, TypeDefinitionNode):
            continue
        canonical = subgraph.type_names.get(node.name.value)
        if canonical == "Purpose":
            values = {one.name.value for one in node.values or ()} if isinstance(node, EnumTypeDefinitionNode) else ()
            if values != _PURPOSES:
                message = "the specification defines it as an enum with the values SECURITY and EXECUTION"
                yield Fault.TYPE_DEFINITION_INVALID, node.name.value, message, node
        elif canonical is not None and not isinstance(node, ScalarTypeDefinitionNode):
            yield Fault.TYPE_DEFINITION_INVALID, node.name.value, "the specification defines it as a scalar", node


@lru_cache(maxsize=64)
def _expected(canonical: str) -> DirectiveDefinitionNode:
    signature = LINK_SIGNATURE if canonical == "link" else SIGNATURES[canonical]
    text = signature.format(Purpose="Purpose", **{name: name for name in _SCALARS})
    definition = parse(f"directive @{canonical}{text}").definitions[0]
    assert isinstance(definition, DirectiveDefinitionNode)  # noqa: S101 - the text above is one
    return definition


class _Comparison:
    """Compares a definition as written with the one of the specification."""

    def __init__(self, subgraph: Subgraph, expected: DirectiveDefinitionNode, actual: DirectiveDefinitionNode) -> None:
        self._subgraph = subgraph
        self._expected = expected
        self._actual = actual

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the actual definition."""
        actual = {argument.name.value: argument for argument in self._actual.arguments or ()}
        known = {argument.name.value: argument for argument in self._expected.arguments or ()}
        for name, wanted in known.items():
            found = actual.get(name)
            if found is not None:
                yield from self._argument_faults(wanted, found)
            elif isinstance(wanted.type, NonNullTypeNode) and wanted.default_value is None:
                yield f"the required argument {name} is missing"
        for name in actual.keys() - known.keys():
            yield f"there is no argument {name}"
        if self._actual.repeatable and not self._expected.repeatable:
            yield "it is not repeatable"
        allowed = {one.value for one in self._expected.locations}
        beyond = sorted({one.value for one in self._actual.locations} - allowed)
        if beyond:
            yield f"it cannot be used on {', '.join(beyond)}"

    def _argument_faults(self, wanted: InputValueDefinitionNode, found: InputValueDefinitionNode) -> Iterator[str]:
        made_mandatory = isinstance(found.type, NonNullTypeNode) and not isinstance(wanted.type, NonNullTypeNode)
        type_ = found.type.type if made_mandatory and isinstance(found.type, NonNullTypeNode) else found.type
        if not self._fits(wanted.type, type_):
            yield f"the argument {wanted.name.value} is {print_ast(wanted.type)}, not {print_ast(found.type)}"
        elif not isinstance(found.type, NonNullTypeNode) and _default(wanted) != _default(found):
            yield f"the argument {wanted.name.value} has another default"

    def _fits(self, wanted: TypeNode, found: TypeNode) -> bool:
        if isinstance(wanted, NonNullTypeNode):
            return isinstance(found, NonNullTypeNode) and self._fits(wanted.type, found.type)
        if isinstance(wanted, ListTypeNode):
            return isinstance(found, ListTypeNode) and self._fits(wanted.type, found.type)
        assert isinstance(wanted, NamedTypeNode)  # noqa: S101 - the wrappers are gone
        return self._is_same(wanted.name.value, found)

    def _is_same(self, wanted: str, found: TypeNode) -> bool:
        """Tell whether a type may stand for a named one: no value of a scalar of the specification is checked."""
        if wanted in _SCALARS and not isinstance(found, ListTypeNode):
            found = found.type if isinstance(found, NonNullTypeNode) else found
        if not isinstance(found, NamedTypeNode):
            return False
        name = found.name.value
        if wanted in _SCALARS:
            definition = self._subgraph.definitions.get(name)
            is_custom = definition.kind == "scalar" if definition else name not in _BUILT_IN
            return not is_custom or name.lstrip("_").endswith(wanted) or self._subgraph.type_names.get(name) == wanted
        return name == wanted or self._subgraph.type_names.get(name) == wanted


def _default(argument: InputValueDefinitionNode) -> object:
    return None if argument.default_value is None else value_from_ast_untyped(argument.default_value)
