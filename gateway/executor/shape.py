"""The client's answer as a tree of typed positions, made once per plan and set of guard values.

``OutputField`` speaks in type strings; here they are resolved against the API schema, fields whose guards do not hold
are dropped, and each composite position knows which fields its object has for each runtime type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    is_abstract_type,
    is_composite_type,
    is_object_type,
)

from gateway.plan.nodes import Guard, OutputField

__all__ = ["INTS", "Composite", "Leaf", "Position", "SchemaTypes", "build_root"]

_NONE = type(None)
_BUILT_IN: Mapping[str, frozenset[type]] = {
    "Int": frozenset({int}),
    "Float": frozenset({int, float}),
    "String": frozenset({str}),
    "Boolean": frozenset({bool}),
    "ID": frozenset({str}),
}


INTS = range(-(2**31), 2**31)
"""Numbers that GraphQL's Int has; clients in other languages read no others."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or enum.

    Attributes:
        classes: Python classes that its JSON values have; None for custom scalars, which may be anything.
        values: names of an enum, None for scalars.
    """

    name: str
    classes: frozenset[type] | None
    values: frozenset[str] | None

    @property
    def is_int(self) -> bool:
        """Whether it is GraphQL's Int, whose numbers are bounded."""
        return self.name == "Int"

    @property
    def is_id(self) -> bool:
        """Whether it is GraphQL's ID, whose numbers become strings."""
        return self.name == "ID"


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """An object, interface or union position.

    Attributes:
        possible: object types that may stand here.
        is_abstract: whether the type name of the data decides.
        tolerated: type names of the data that are no object types but no secret either (interface objects).
        fields: positions by runtime type; the same tuple for types with the same fields.
    """

    name: str
    possible: frozenset[str]
    is_abstract: bool
    tolerated: frozenset[str]
    fields: Mapping[str, tuple[Position, ...]]

    @property
    def is_uniform(self) -> bool:
        """True when all runtime types have the same fields."""
        return len({id(fields) for fields in self.fields.values()}) <= 1


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """One field of an object in the answer.

    Attributes:
        key: response key.
        source: internal key in the merged data.
        name: field name, ``__typename`` included.
        parent: type whose field it is, for messages.
        wrappers: outermost first, ``"!"`` and ``"["``; ``[Int!]!`` is ``("!", "[", "!")``.
        target: what the wrappers enclose.
        is_denied: the principal may not see the field.
        first: how many items of the list are shown, None for all.
    """

    key: str
    source: str
    name: str
    parent: str
    wrappers: str
    target: Leaf | Composite
    is_denied: bool = False
    first: int | None = None


class SchemaTypes:
    """What shapes need to know of an API schema, cached."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._leaves: dict[str, Leaf] = {}
        self.object_types = frozenset(name for name, item in schema.type_map.items() if is_object_type(item))
        self.abstract_types = frozenset(name for name, item in schema.type_map.items() if is_abstract_type(item))

    def is_object_type(self, name: str) -> bool:
        """Tell whether clients know an object type of this name."""
        return name in self.object_types

    def is_composite(self, name: str) -> bool:
        """Tell whether a type has fields."""
        return is_composite_type(self._schema.type_map.get(name))

    def possible(self, name: str) -> tuple[str, ...]:
        """Return the object types that a composite type may be at runtime, sorted."""
        found = self._schema.type_map.get(name)
        if isinstance(found, GraphQLObjectType):
            return (name,)
        if isinstance(found, GraphQLUnionType) or name in self.abstract_types:
            implementations = sorted(item.name for item in self._schema.get_possible_types(found))  # type: ignore[arg-type]
            return tuple(implementations) or (name,)  # only interface objects return an interface without any
        return ()

    def leaf(self, name: str) -> Leaf:
        """Return the leaf type of a name; a name that the schema lacks is a custom scalar."""
        if name not in self._leaves:
            found = self._schema.type_map.get(name)
            values = frozenset(found.values) if isinstance(found, GraphQLEnumType) else None
            self._leaves[name] = Leaf(name, frozenset({str}) if values is not None else _BUILT_IN.get(name), values)
        return self._leaves[name]


def build_root(
    output: tuple[OutputField, ...], root_type: str, types: SchemaTypes, holds: Callable[[Guard], bool]
) -> Composite:
    """Return the root position for one set of guard values."""
    return _Builder(types, holds).composite(root_type, output)


class _Builder:
    def __init__(self, types: SchemaTypes, holds: Callable[[Guard], bool]) -> None:
        self._types = types
        self._holds = holds

    def composite(self, name: str, output: tuple[OutputField, ...]) -> Composite:
        possible = self._types.possible(name)
        chosen = [field for field in output if self._is_selected(field)]
        by_fields: dict[tuple[int, ...], tuple[Position, ...]] = {}
        built: dict[int, Position] = {}
        fields: dict[str, tuple[Position, ...]] = {}
        for runtime in possible:
            mine = [field for field in chosen if field.on is None or runtime in field.on]
            signature = tuple(map(id, mine))
            if signature not in by_fields:
                by_fields[signature] = tuple(
                    built[id(field)] if id(field) in built else built.setdefault(id(field), self._position(field, name))
                    for field in mine
                )
            fields[runtime] = by_fields[signature]
        return Composite(
            name, frozenset(possible), name in self._types.abstract_types, self._types.abstract_types, fields
        )

    def _is_selected(self, field: OutputField) -> bool:
        return not field.guards or any(all(map(self._holds, guards)) for guards in field.guards)

    def _position(self, field: OutputField, parent: str) -> Position:
        name, wrappers = parse_type(field.type)
        target: Leaf | Composite
        if field.fields or self._types.is_composite(name):
            target = self.composite(name, field.fields)
        else:
            target = self._types.leaf(name)
        denied = field.source.startswith(DENIED)
        first = None if field.stream is None else field.stream.initial_count
        return Position(field.key, field.source, field.name, parent, wrappers, target, denied, first)


DENIED = "\0denied:"
"""Marks the source of an output field that authorization removed; no GraphQL name can start like this."""


@lru_cache(maxsize=4096)
def parse_type(text: str) -> tuple[str, str]:
    """Return the named type and the wrappers of a printed type, ``[Int!]!`` giving ``("Int", "![!")``."""
    wrappers = ""
    while True:
        if text.endswith("!"):
            wrappers += "!"
            text = text[:-1]
        if not text.startswith("["):
            return text, wrappers
        wrappers += "["
        text = text[1:-1]


def fits(leaf: Leaf, value: Any) -> bool:
    """Tell whether a non-null value may stand for the leaf type."""
    if leaf.values is not None:
        return value.__class__ is str and value in leaf.values
    if leaf.classes is not None and value.__class__ not in leaf.classes:
        return False
    return not leaf.is_int or value in INTS
