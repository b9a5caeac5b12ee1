"""Check that what a supergraph names is there, so that a document that was broken by hand fails when it is loaded.

1. Types of fields and arguments, interfaces and members of unions are types of the document.
2. Keys, requirements and what fields provide are selections of fields that their types have.

Whether every field can be reached is not asked here; composition does, and planning says NO_PATH.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLError, parse, specified_scalar_types
from graphql.language import (
    FieldNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.errors import SupergraphError
from gateway.supergraph.model import FieldDefinition, Supergraph, TypeDefinition, named_type

__all__ = ["check_references"]

MAX_FAULTS = 20
"""Faults that one message lists."""

_COMPOSITE = {"object", "interface", "union"}


def check_references(supergraph: Supergraph) -> None:
    """Return when everything that the supergraph names is there.

    Raises:
        SupergraphError: it is not; the message lists what is missing, and where.
    """
    faults = [fault for type_ in supergraph.types.values() for fault in _faults_of(supergraph, type_)]
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        listed = "\n".join(f"  {fault}" for fault in (*faults[:MAX_FAULTS], *more))
        raise SupergraphError(f"the supergraph names what it does not have:\n{listed}")


def _faults_of(supergraph: Supergraph, type_: TypeDefinition) -> Iterator[str]:
    for graph, join in type_.joins.items():
        for key, _ in join.keys:
            yield from _selection_faults(supergraph, key, type_, f"{type_.name}: key {key!r} of subgraph {graph}")
    for graph, interfaces in type_.interfaces.items():
        for name in interfaces:
            if name not in supergraph.types or supergraph.types[name].kind != "interface":
                yield f"{type_.name}: subgraph {graph} implements {name}, which is no interface"
    for graph, members in type_.members.items():
        for name in members:
            if name not in supergraph.types or supergraph.types[name].kind != "object":
                yield f"{type_.name}: subgraph {graph} has the member {name}, which is no object type"
    for field in type_.fields.values():
        yield from _field_faults(supergraph, type_, field)


def _field_faults(supergraph: Supergraph, type_: TypeDefinition, field: FieldDefinition) -> Iterator[str]:
    where = f"{type_.name}.{field.name}"
    named = [field.type, *(argument.type for argument in field.node.arguments or ())]
    for graph, join in field.joins.items():
        named += [join.type] if join.type is not None else []
        if join.requires:
            text = f"{where}: what subgraph {graph} requires, {join.requires!r},"
            yield from _selection_faults(supergraph, join.requires, type_, text)
        target = supergraph.types.get(named_type(join.type or field.type))
        if join.provides and target is not None:
            text = f"{where}: what subgraph {graph} provides, {join.provides!r},"
            yield from _selection_faults(supergraph, join.provides, target, text)
    for name in dict.fromkeys(named_type(node) for node in named):
        if name not in supergraph.types and name not in specified_scalar_types:
            yield f"{where}: there is no type {name}"


def _selection_faults(supergraph: Supergraph, text: str, type_: TypeDefinition, where: str) -> Iterator[str]:
    try:
        (definition,) = parse(f"{{{text}}}").definitions
    except (GraphQLError, RecursionError, ValueError):
        yield f"{where} is not a selection of fields"
        return
    if not isinstance(definition, OperationDefinitionNode):
        yield f"{where} is not a selection of fields"
        return
    fault = _missing(supergraph, definition.selection_set, type_)
    if fault is not None:
        yield f"{where} {fault}"


def _missing(supergraph: Supergraph, selection: SelectionSetNode, type_: TypeDefinition) -> str | None:
    """Return what the first selection asks for in vain."""
    for node in selection.selections:
        target: TypeDefinition | None = None
        if isinstance(node, InlineFragmentNode):
            name = node.type_condition.name.value if node.type_condition else type_.name
            target = supergraph.types.get(name)
            if target is None:
                return f"names the type {name}, which is not there"
        elif isinstance(node, FieldNode):
            if node.name.value == "__typename":
                continue
            field = type_.fields.get(node.name.value)
            if field is None:
                return f"names {type_.name}.{node.name.value}, which is not there"
            target = supergraph.types.get(named_type(field.type))
            is_composite = target is not None and target.kind in _COMPOSITE
            if is_composite is not (node.selection_set is not None):
                return f"has {'no selection' if is_composite else 'a selection'} below {type_.name}.{field.name}"
        else:
            return "has a fragment, which nothing defines"
        if node.selection_set is not None and target is not None:
            fault = _missing(supergraph, node.selection_set, target)
            if fault is not None:
                return fault
    return None
