"""Rules of ``@context`` and ``@fromContext``.

A context is set by objects of a type; a field further down reads one value of the nearest such object as an argument.
The value is read with a selection of one field per level, and the object that has the field must be enterable by a
key, because the gateway asks for the field anew once it knows the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphql import GraphQLError, parse, print_ast
from graphql.language import (
    DirectiveDefinitionNode,
    FieldNode,
    InlineFragmentNode,
    ListTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    TypeNode,
)

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import Applied, Definition, Member, Subgraph
from gateway.supergraph import named_type

__all__ = ["ContextFault", "check_contexts", "read_selection"]

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9]*$")
_SELECTION = re.compile(r"^[\s,]*\$[\s,]*([A-Za-z_]\w*)(.*)$", re.DOTALL)
_COMPOSITE = frozenset({"object", "interface", "union"})


class ContextFault(Exception):
    """A selection from a context breaks a rule."""

    def __init__(self, code: Fault, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_selection(applied: Applied) -> tuple[str, str]:
    """Return the name of the context and the text of the selection from it.

    Raises:
        ContextFault: NO_CONTEXT_IN_SELECTION, there is no ``$name`` followed by a selection.
    """
    match = _SELECTION.match(str(applied.arguments.get("field") or ""))
    if match is None or not match[2].strip():
        message = "write the context and what to read from it, such as $name { field }"
        raise ContextFault(Fault.NO_CONTEXT_IN_SELECTION, message)
    return match[1], match[2].strip()


def check_contexts(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """Contexts have plain names, and what is read from them exists and fits the argument that it becomes."""
    setters: dict[str, list[Definition]] = {}
    for definition in subgraph.definitions.values():
        for applied in definition.all("context"):
            name = str(applied.arguments.get("name"))
            setters.setdefault(name, []).append(definition)
            if not _NAME.match(name):
                rule = "must be a letter, then letters and digits"
                message = f"[{subgraph.name}] {definition.name}: the context name {name!r} {rule}"
                at = [(subgraph.name, applied.node)]
                diagnostics.error(Fault.CONTEXT_NAME_INVALID, message, coordinate=definition.name, at=at)
    for owner_type, member, argument, applied in _readers(subgraph):
        owner = f"{owner_type.name}.{member.name}" if owner_type is not None else f"@{member.name}"
        coordinate = f"{owner}({argument.name}:)"
        try:
            _check_reader(subgraph, owner_type, member, argument, applied, setters)
        except ContextFault as fault:
            message = f"[{subgraph.name}] {coordinate}: {fault}"
            diagnostics.error(fault.code, message, coordinate=coordinate, at=[(subgraph.name, applied.node)])


def _readers(subgraph: Subgraph) -> Iterator[tuple[Definition | None, Member, Member, Applied]]:
    owners: list[tuple[Definition | None, Member]] = [(None, one) for one in subgraph.directive_members.values()]
    owners += [(item, member) for item in subgraph.definitions.values() for member in item.members.values()]
    for definition, member in owners:
        for argument in member.arguments.values():
            applied = argument.get("fromContext")
            if applied is not None:
                yield definition, member, argument, applied


def _check_reader(
    subgraph: Subgraph,
    definition: Definition | None,
    member: Member,
    argument: Member,
    applied: Applied,
    setters: dict[str, list[Definition]],
) -> None:
    if definition is None or isinstance(member.node, DirectiveDefinitionNode):
        raise ContextFault(Fault.CONTEXT_NOT_SET, "an argument of a directive cannot be read from a context")
    if definition.kind != "object":
        raise ContextFault(Fault.CONTEXT_NOT_SET, "@fromContext cannot be used on a field of an abstract type")
    for name in definition.interfaces:
        if name in subgraph.definitions and member.name in subgraph.definitions[name].members:
            message = f"@fromContext cannot be used on a field that implements {name}.{member.name}"
            raise ContextFault(Fault.CONTEXT_NOT_SET, message)
    context, text = read_selection(applied)
    if context not in setters:
        raise ContextFault(Fault.CONTEXT_NOT_SET, f"no type of the subgraph sets the context {context!r}")
    selection = _parse(text)
    for setter in setters[context]:
        for found in _selected_types(subgraph, setter, selection):
            if argument.type is not None and print_ast(found) != print_ast(argument.type):
                message = f"{text} is {print_ast(found)} in {setter.name}, the argument {print_ast(argument.type)}"
                raise ContextFault(Fault.CONTEXT_INVALID_SELECTION, message)
    if not any(key.arguments.get("resolvable") is not False for key in definition.all("key")):
        message = f"{definition.name} needs a resolvable key in a subgraph that reads a context for one of its fields"
        raise ContextFault(Fault.CONTEXT_NO_RESOLVABLE_KEY, message)


def _parse(text: str) -> SelectionSetNode:
    braced = text if text.startswith("{") else f"{{{text}}}"
    try:
        definition = parse(braced).definitions[0]
    except (GraphQLError, RecursionError) as error:
        raise _invalid(f"{text!r} is not a selection: {error}") from error
    if not isinstance(definition, OperationDefinitionNode) or definition.operation.value != "query":
        raise _invalid(f"{text!r} is not a selection")
    return definition.selection_set


def _selected_types(subgraph: Subgraph, setter: Definition, selection: SelectionSetNode) -> Iterator[TypeNode]:
    """Yield the types of the value that a setter's objects give, without non-null wrappers."""
    fragments = [node for node in selection.selections if isinstance(node, InlineFragmentNode)]
    if not fragments:
        yield _type_of(subgraph, setter, selection)
        return
    if len(fragments) < len(selection.selections):
        raise _invalid("select one field, or one field for each type")
    fitting = [node for node in fragments if _fits(subgraph, setter, node)]
    if not fitting:
        raise _invalid(f"no type condition fits {setter.name}, which sets the context")
    for node in fitting:
        name = node.type_condition.name.value if node.type_condition else setter.name
        _refuse_directives(node)
        yield _type_of(subgraph, subgraph.definitions[name], node.selection_set)


def _fits(subgraph: Subgraph, setter: Definition, node: InlineFragmentNode) -> bool:
    if node.type_condition is None:
        return True
    name = node.type_condition.name.value
    if name not in subgraph.definitions:
        raise _invalid(f"unknown type {name}")
    return bool(_possible(subgraph, setter) & _possible(subgraph, subgraph.definitions[name]))


def _possible(subgraph: Subgraph, definition: Definition) -> set[str]:
    if definition.kind == "union":
        return set(definition.types)
    if definition.kind == "interface":
        return {one.name for one in subgraph.implementations(definition.name)}
    return {definition.name}


def _type_of(subgraph: Subgraph, definition: Definition, selection: SelectionSetNode) -> TypeNode:
    if len(selection.selections) != 1:
        raise _invalid("exactly one field can be read")
    node = selection.selections[0]
    _refuse_directives(node)
    if not isinstance(node, FieldNode) or node.alias is not None or node.arguments:
        raise _invalid("a plain field is expected, without alias, arguments or further type conditions")
    member = definition.members.get(node.name.value) if definition.kind != "union" else None
    if member is None or member.type is None:
        raise _invalid(f"{definition.name} has no field {node.name.value}")
    target = subgraph.definitions.get(named_type(member.type))
    is_composite = target is not None and target.kind in _COMPOSITE
    if is_composite != (node.selection_set is not None):
        raise _invalid(f"{definition.name}.{member.name} needs a selection" if is_composite else "nothing to select")
    if node.selection_set is None or target is None:
        return _nullable(member.type)
    if isinstance(_nullable(member.type), ListTypeNode):
        raise _invalid(f"{definition.name}.{member.name} is a list of objects, of which no single value can be read")
    return _type_of(subgraph, target, node.selection_set)


def _refuse_directives(node: SelectionNode) -> None:
    if node.directives:
        raise _invalid("directives cannot be used here")


def _nullable(type_: TypeNode) -> TypeNode:
    if isinstance(type_, NonNullTypeNode):
        return _nullable(type_.type)
    return ListTypeNode(type=_nullable(type_.type)) if isinstance(type_, ListTypeNode) else type_


def _invalid(message: str) -> ContextFault:
    return ContextFault(Fault.CONTEXT_INVALID_SELECTION, message)
