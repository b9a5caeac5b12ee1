"""Definitions that a subgraph may use without writing them down: federation directives under their local names."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from graphql import parse

from gateway.composition.subgraph_set import Subgraph

__all__ = ["LINK_SIGNATURE", "SIGNATURES", "prelude_for"]

SIGNATURES = {
    "key": "(fields: {FieldSet}!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE",
    "requires": "(fields: {FieldSet}!) on FIELD_DEFINITION",
    "provides": "(fields: {FieldSet}!) on FIELD_DEFINITION",
    "external": "(reason: String) on OBJECT | FIELD_DEFINITION",
    "tag": "(name: String!) repeatable on FIELD_DEFINITION | INTERFACE | OBJECT | UNION | ARGUMENT_DEFINITION | SCALAR"
    " | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION | SCHEMA",
    "extends": " on OBJECT | INTERFACE",
    "shareable": " repeatable on OBJECT | FIELD_DEFINITION",
    "inaccessible": " on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM"
    " | ENUM_VALUE"
    " | INPUT_OBJECT | INPUT_FIELD_DEFINITION",
    "override": "(from: String!, label: String) on FIELD_DEFINITION",
    "composeDirective": "(name: String) repeatable on SCHEMA",
    "interfaceObject": " on OBJECT",
    "authenticated": " on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM",
    "requiresScopes": "(scopes: [[{Scope}!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM",
    "policy": "(policies: [[{Policy}!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM",
    "context": "(name: String!) repeatable on INTERFACE | OBJECT | UNION",
    "fromContext": "(field: {ContextFieldValue}) on ARGUMENT_DEFINITION",
    "cost": "(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT"
    " | SCALAR",
    "listSize": "(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument:"
    " Boolean = true) on FIELD_DEFINITION",
    "cacheTag": "(format: String!) repeatable on OBJECT | INTERFACE | FIELD_DEFINITION",
}
"""What follows the name in each directive's definition; ``{Name}`` stands for a scalar of the specification."""

LINK_SIGNATURE = "(url: String, as: String, for: {Purpose}, import: [{Import}]) repeatable on SCHEMA"
"""The same for ``@link``."""

_LABELS_SINCE = (2, 7)
_ANYTHING = dict.fromkeys(("FieldSet", "Scope", "Policy", "ContextFieldValue", "Import"), "federation__Any")
_LINK = f"""
directive @link{LINK_SIGNATURE.format(**_ANYTHING, Purpose="link__Purpose")}
enum link__Purpose {{ SECURITY EXECUTION }}
scalar federation__Any
scalar federation__FieldSet scalar federation__Scope scalar federation__Policy scalar federation__ContextFieldValue \
scalar _FieldSet scalar FieldSet scalar Scope scalar Policy scalar ContextFieldValue scalar link__Import scalar _Any \
"""


@lru_cache(maxsize=256)
def _prelude(names: tuple[tuple[str, str], ...], types: tuple[str, ...], version: tuple[int, int]) -> tuple[Any, ...]:
    lines = [_LINK, *(f"scalar {name}" for name in types if f" {name} " not in _LINK)]
    for local, canonical in names:
        signature = SIGNATURES[canonical].format(**_ANYTHING)
        if canonical == "override" and version < _LABELS_SINCE:
            signature = signature.replace(", label: String", "")
        lines.append(f"directive @{local}{signature}")
    return parse("\n".join(lines)).definitions


def prelude_for(subgraph: Subgraph) -> tuple[Any, ...]:
    """Return the definition nodes that a subgraph need not write."""
    return _prelude(
        tuple(sorted(subgraph.names.items())), tuple(sorted(subgraph.type_names)), subgraph.version or (1, 0)
    )
