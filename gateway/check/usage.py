"""What of a schema one operation uses, as coordinates in the form of :mod:`gateway.check.changes`."""

from __future__ import annotations

from typing import Any

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    type_from_ast,
    visit,
)
from graphql.language import (
    ArgumentNode,
    EnumValueNode,
    FieldNode,
    ObjectFieldNode,
    VariableDefinitionNode,
)

__all__ = ["used_coordinates"]


def used_coordinates(schema: GraphQLSchema, document: DocumentNode) -> frozenset[str]:
    """Return every coordinate that a valid document uses; of variables all that clients could send in them."""
    info = TypeInfo(schema)
    collector = _Collector(schema, info)
    visit(document, TypeInfoVisitor(info, collector))
    return frozenset(collector.found)


class _Collector(Visitor):
    def __init__(self, schema: GraphQLSchema, info: TypeInfo) -> None:
        super().__init__()
        self._schema = schema
        self._info = info
        self.found: set[str] = set()
        self._sendable: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        around, field = self._info.get_parent_type(), self._info.get_field_def()
        if around is not None and field is not None:
            self.found |= {around.name, f"{around.name}.{node.name.value}", get_named_type(field.type).name}

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        around, field = self._info.get_parent_type(), self._info.get_field_def()
        argument = self._info.get_argument()
        if around is not None and field is not None and argument is not None and self._info.get_directive() is None:
            name = next((key for key, item in around.fields.items() if item is field), "")  # type: ignore[union-attr]
            self.found.add(f"{around.name}.{name}({node.name.value}:)")
            self.found.add(get_named_type(argument.type).name)

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        around = get_named_type(self._info.get_parent_input_type())
        if around is not None:
            self.found |= {around.name, f"{around.name}.{node.name.value}"}

    def enter_enum_value(self, node: EnumValueNode, *_: Any) -> None:
        type_ = get_named_type(self._info.get_input_type())
        if type_ is not None:
            self.found.add(f"{type_.name}.{node.value}")

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        type_ = type_from_ast(self._schema, node.type)
        if type_ is not None:
            self._add_input(get_named_type(type_))

    def enter_inline_fragment(self, *_: Any) -> None:
        self._add_fragment()

    def enter_fragment_definition(self, *_: Any) -> None:
        self._add_fragment()

    def _add_fragment(self) -> None:
        type_ = self._info.get_type()
        around = self._info.get_parent_type()
        for found in (type_, around):
            if found is not None:
                self.found.add(get_named_type(found).name)

    def _add_input(self, type_: Any) -> None:
        if type_.name in self._sendable:
            return
        self._sendable.add(type_.name)
        self.found.add(type_.name)
        if isinstance(type_, GraphQLEnumType):
            self.found.update(f"{type_.name}.{value}" for value in type_.values)
        if isinstance(type_, GraphQLInputObjectType):
            for name, field in type_.fields.items():
                self.found.add(f"{type_.name}.{name}")
                self._add_input(get_named_type(field.type))
