"""Rules of the field sets in ``@key``, ``@requires`` and ``@provides``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import GraphQLError, parse
from graphql.language import (
    FieldNode,
    InlineFragmentNode,
    ListTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeNode,
)

from gateway.composition.subgraph_set import Applied, Definition, Member, Subgraph
from gateway.supergraph import named_type

__all__ = ["FieldSetFault", "Selected", "is_list", "read_field_set", "walk_field_set"]

MAX_DEPTH = 50
"""Deepest nesting of a field set; real ones nest two or three levels."""


class FieldSetFault(Exception):
    """A field set breaks a rule; ``kind`` is the suffix of the error code."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Selected:
    """A field named by a field set: where it is defined, and whether it has a selection of its own."""

    owner: Definition
    member: Member
    node: FieldNode
    depth: int

    @property
    def is_leaf(self) -> bool:
        """True without a sub-selection."""
        return self.node.selection_set is None


def read_field_set(applied: Applied) -> SelectionSetNode:
    """Parse the ``fields`` argument.

    Raises:
        FieldSetFault: INVALID_FIELDS_TYPE when it is no string, INVALID_FIELDS when it does not parse.
    """
    text = applied.arguments.get("fields")
    if isinstance(text, list):
        text = " ".join(str(item) for item in text)
    if not isinstance(text, str):
        raise FieldSetFault("INVALID_FIELDS_TYPE", "fields must be a string")
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if not text.strip():
        raise FieldSetFault("INVALID_FIELDS", "fields is empty")
    try:
        definition = parse(f"{{{text}}}").definitions[0]
    except (GraphQLError, RecursionError) as error:
        raise FieldSetFault("INVALID_FIELDS", f"{text!r} is not a selection: {error}") from error
    if not isinstance(definition, OperationDefinitionNode):
        raise FieldSetFault("INVALID_FIELDS", f"{text!r} is not a selection")
    return definition.selection_set


def walk_field_set(
    subgraph: Subgraph, definition: Definition, selection: SelectionSetNode, depth: int = 0
) -> Iterator[Selected]:
    """Yield every field of a selection on a type, parents first.

    Raises:
        FieldSetFault: an unknown field or type, a directive, a missing or needless sub-selection.
    """
    if depth > MAX_DEPTH:
        raise FieldSetFault("INVALID_FIELDS", f"the selection nests deeper than {MAX_DEPTH} levels")
    for node in selection.selections:
        if node.directives:
            raise FieldSetFault("DIRECTIVE_IN_FIELDS_ARG", "directives cannot be used in fields")
        if isinstance(node, InlineFragmentNode):
            name = node.type_condition.name.value if node.type_condition else definition.name
            inner = subgraph.definitions.get(name)
            if inner is None:
                raise FieldSetFault("INVALID_FIELDS", f"unknown type {name}")
            yield from walk_field_set(subgraph, inner, node.selection_set, depth)
        elif isinstance(node, FieldNode):
            if node.name.value == "__typename":
                continue
            member = definition.members.get(node.name.value) if definition.kind in {"object", "interface"} else None
            if member is None or member.type is None:
                raise FieldSetFault("INVALID_FIELDS", f"{definition.name} has no field {node.name.value}")
            yield Selected(definition, member, node, depth)
            target = subgraph.definitions.get(named_type(member.type))
            is_composite = target is not None and target.kind in {"object", "interface", "union"}
            if node.selection_set is not None:
                if not is_composite or target is None:
                    raise FieldSetFault(
                        "INVALID_FIELDS", f"{definition.name}.{member.name} has nothing to select below"
                    )
                yield from walk_field_set(subgraph, target, node.selection_set, depth + 1)
            elif is_composite:
                raise FieldSetFault("INVALID_FIELDS", f"{definition.name}.{member.name} needs a selection")


def is_list(type_: TypeNode) -> bool:
    """Tell whether a type is a list under its non-null wrapper."""
    return isinstance(type_.type if isinstance(type_, NonNullTypeNode) else type_, ListTypeNode)
