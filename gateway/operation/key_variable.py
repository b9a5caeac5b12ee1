"""Give the arguments of mutation fields the key that a document leaves out, as a variable.

It happens before validation, which would refuse a document without a required key. Fields in named fragments stay as
they are: other operations may use these too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphql import DocumentNode
from graphql.language import (
    ArgumentNode,
    FieldNode,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)

__all__ = ["KeyedField", "with_key_variable"]


@dataclass(frozen=True, slots=True)
class KeyedField:
    """A mutation field with a key.

    Attributes:
        path: where the key lies: an argument, then fields of its value.
        type: ``String`` or ``ID``.
    """

    path: tuple[str, ...]
    type: str


def with_key_variable(
    document: DocumentNode, operation_name: str | None, fields: Mapping[str, KeyedField]
) -> DocumentNode:
    """Return the document with a variable wherever its mutation leaves a key out; the same one when it does not."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [node for node in operations if operation_name in (None, node.name and node.name.value)]
    if len(chosen) != 1 or chosen[0].operation is not OperationType.MUTATION:
        return document
    operation = chosen[0]
    given = operation.variable_definitions or ()
    writer = _Writer(fields, {item.variable.name.value for item in given})
    selection_set = writer.selections(operation.selection_set)
    if not writer.variables:
        return document
    added = (_definition(name, type_) for type_, name in writer.variables.items())
    changed = replace(operation, selection_set=selection_set, variable_definitions=(*given, *added))
    return replace(document, definitions=tuple(changed if n is operation else n for n in document.definitions))


class _Writer:
    """Writes variables into root fields; ``variables`` holds the names of those written by their type."""

    def __init__(self, fields: Mapping[str, KeyedField], taken: set[str]) -> None:
        self._fields = fields
        self._taken = taken
        self.variables: dict[str, str] = {}

    def selections(self, given: SelectionSetNode) -> SelectionSetNode:
        return replace(given, selections=tuple(self._selection(node) for node in given.selections))

    def _selection(self, node: SelectionNode) -> SelectionNode:
        if isinstance(node, InlineFragmentNode):
            return replace(node, selection_set=self.selections(node.selection_set))
        field = self._fields.get(node.name.value) if isinstance(node, FieldNode) else None
        if field is None or not isinstance(node, FieldNode):
            return node
        name, rest = field.path[0], field.path[1:]
        arguments = node.arguments or ()
        old = next((item for item in arguments if item.name.value == name), None)
        value = self._filled(None if old is None else old.value, rest, field.type)
        if old is not None and value is old.value:
            return node
        others = tuple(item for item in arguments if item is not old)
        return replace(node, arguments=(*others, ArgumentNode(name=NameNode(value=name), value=value)))

    def _name(self, type_: str) -> str:
        if type_ not in self.variables:
            name = "_idempotencyKey"
            while name in self._taken:
                name = f"_{name}"
            self._taken.add(name)
            self.variables[type_] = name
        return self.variables[type_]

    def _filled(self, value: ValueNode | None, path: tuple[str, ...], type_: str) -> ValueNode:
        """Return the value with the variable at the end of the path, the same one when something stands there."""
        is_left_out = value is None or isinstance(value, NullValueNode)
        if not path or (value is not None and not is_left_out and not isinstance(value, ObjectValueNode)):
            if value is not None and not is_left_out:
                return value
            return _variable(self._name(type_))
        fields = value.fields if isinstance(value, ObjectValueNode) else ()
        old = next((item for item in fields if item.name.value == path[0]), None)
        inner = self._filled(None if old is None else old.value, path[1:], type_)
        if value is not None and old is not None and inner is old.value:
            return value
        others = tuple(item for item in fields if item is not old)
        return ObjectValueNode(fields=(*others, ObjectFieldNode(name=NameNode(value=path[0]), value=inner)))


def _definition(variable: str, type_: str) -> VariableDefinitionNode:
    type_node = NonNullTypeNode(type=NamedTypeNode(name=NameNode(value=type_)))
    return VariableDefinitionNode(variable=_variable(variable), type=type_node, default_value=None, directives=())


def _variable(name: str) -> VariableNode:
    return VariableNode(name=NameNode(value=name))
