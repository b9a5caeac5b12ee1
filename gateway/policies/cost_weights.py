"""What ``@cost`` and ``@listSize`` say about a supergraph, by coordinate.

https://ibm.github.io/graphql-specs/cost-spec.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import value_from_ast_untyped
from graphql.language import (
    ConstDirectiveNode,
    EnumTypeDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeNode,
)

from gateway.supergraph import Supergraph, named_type

__all__ = ["CostWeights", "ListSize", "read_weights"]

_COST, _LIST_SIZE = "cost", "listSize"
"""Names of the directives; where a supergraph imports them under others, reading it gives them these again."""


@dataclass(frozen=True, slots=True)
class ListSize:
    """How many items a field gives.

    Attributes:
        assumed: items when no slicing argument says, None for the default of the settings.
        slicing: paths of arguments whose values bound the items; the largest one counts.
        sized_fields: fields below this one whose lists have that size, instead of its own.
    """

    assumed: int | None
    slicing: tuple[tuple[str, ...], ...]
    sized_fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class CostWeights:
    """Weights that the schema gives; what it does not mention costs 1 for an object and nothing for a leaf.

    Attributes:
        types: weight of an object or value of a type.
        fields: weight by coordinate, instead of that of the field's type.
        arguments: weight of giving an argument, by field coordinate and argument.
        inputs: weight of giving a field of an input object, by input type and field.
        input_types: named type of each argument and input field, by the same names.
        defaults: default value of arguments, by the same names.
        sizes: how long lists are, by coordinate.
    """

    types: Mapping[str, int]
    fields: Mapping[str, int]
    arguments: Mapping[tuple[str, str], int]
    inputs: Mapping[tuple[str, str], int]
    input_types: Mapping[tuple[str, str], str]
    defaults: Mapping[tuple[str, str], Any]
    sizes: Mapping[str, ListSize]


def read_weights(supergraph: Supergraph) -> CostWeights:
    """Return the weights of a supergraph."""
    reader = _Reader()
    for node in supergraph.document.definitions:
        reader.read(node)
    return reader.weights


class _Reader:
    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.fields: dict[str, int] = {}
        self.arguments: dict[tuple[str, str], int] = {}
        self.inputs: dict[tuple[str, str], int] = {}
        self.input_types: dict[tuple[str, str], str] = {}
        self.defaults: dict[tuple[str, str], Any] = {}
        self.sizes: dict[str, ListSize] = {}

    @property
    def weights(self) -> CostWeights:
        return CostWeights(
            self.types, self.fields, self.arguments, self.inputs, self.input_types, self.defaults, self.sizes
        )

    def read(self, node: object) -> None:
        if isinstance(node, ObjectTypeDefinitionNode | ScalarTypeDefinitionNode | EnumTypeDefinitionNode):
            self._note(self.types, node.name.value, node.directives)
        if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            for field in node.fields or ():
                coordinate = f"{node.name.value}.{field.name.value}"
                self._note(self.fields, coordinate, field.directives)
                self._note_size(coordinate, field.directives)
                for argument in field.arguments or ():
                    name = (coordinate, argument.name.value)
                    self._note(self.arguments, name, argument.directives)
                    self._note_input(name, argument.type, argument.default_value)
        elif isinstance(node, InputObjectTypeDefinitionNode):
            for item in node.fields or ():
                name = (node.name.value, item.name.value)
                self._note(self.inputs, name, item.directives)
                self._note_input(name, item.type, item.default_value)

    def _note(self, into: dict[Any, int], name: Any, directives: Iterable[ConstDirectiveNode] | None) -> None:
        weight = _arguments_of(directives, _COST).get("weight")
        if isinstance(weight, int):
            into[name] = weight

    def _note_size(self, coordinate: str, directives: Iterable[ConstDirectiveNode] | None) -> None:
        given = _arguments_of(directives, _LIST_SIZE)
        if given:
            paths = tuple(tuple(str(path).split(".")) for path in given.get("slicingArguments") or ())
            sized = frozenset(given.get("sizedFields") or ())
            self.sizes[coordinate] = ListSize(given.get("assumedSize"), paths, sized)

    def _note_input(self, name: tuple[str, str], type_: TypeNode, default: Any) -> None:
        self.input_types[name] = named_type(type_)
        if default is not None:
            self.defaults[name] = value_from_ast_untyped(default)


def _arguments_of(directives: Iterable[ConstDirectiveNode] | None, name: str) -> Mapping[str, Any]:
    for applied in directives or ():
        if applied.name.value == name:
            return {item.name.value: value_from_ast_untyped(item.value) for item in applied.arguments or ()}
    return {}
