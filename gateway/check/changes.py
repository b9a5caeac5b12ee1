"""What a new schema takes away from clients of the old one.

Each change names the coordinate that an operation must use to be hit by it: ``Type``, ``Type.field``,
``Type.field(argument:)``, ``Enum.VALUE``, or two types, ``Abstract|Concrete``. Additions that old clients do not notice
are no changes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    is_abstract_type,
    is_required_argument,
    is_required_input_field,
)

__all__ = ["Change", "breaking_changes"]

_Fielded = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True, slots=True)
class Change:
    """A change that breaks operations that use ``coordinate``."""

    coordinate: str
    what: str

    def __str__(self) -> str:
        """Return the change as one line."""
        return f"{self.coordinate}: {self.what}"


def breaking_changes(old: GraphQLSchema, new: GraphQLSchema) -> tuple[Change, ...]:
    """Return the changes between two API schemas that can break a client, by coordinate."""
    found: list[Change] = []
    for name, before in old.type_map.items():
        if not name.startswith("__"):
            found += _of_type(before, new.type_map.get(name), new)
    return tuple(sorted(found, key=str))


def _of_type(old: GraphQLNamedType, new: GraphQLNamedType | None, schema: GraphQLSchema) -> Iterator[Change]:
    if new is None:
        yield Change(old.name, "the type was removed")
    elif type(old) is not type(new):
        yield Change(old.name, "the type is of another kind")
    elif isinstance(old, GraphQLObjectType | GraphQLInterfaceType) and isinstance(
        new, GraphQLObjectType | GraphQLInterfaceType
    ):
        yield from _of_fields(old, new, schema)
    elif isinstance(old, GraphQLUnionType) and isinstance(new, GraphQLUnionType):
        kept = {member.name for member in new.types}
        for member in old.types:
            if member.name not in kept:
                yield Change(f"{old.name}|{member.name}", "the member was removed")
    elif isinstance(old, GraphQLEnumType) and isinstance(new, GraphQLEnumType):
        for value in old.values:
            if value not in new.values:
                yield Change(f"{old.name}.{value}", "the value was removed")
    elif isinstance(old, GraphQLInputObjectType) and isinstance(new, GraphQLInputObjectType):
        yield from _of_input(old, new)


def _of_fields(old: _Fielded, new: _Fielded, schema: GraphQLSchema) -> Iterator[Change]:
    for interface in old.interfaces:
        if interface.name not in {item.name for item in new.interfaces}:
            yield Change(f"{interface.name}|{old.name}", "the type does not implement the interface any more")
    for name, field in old.fields.items():
        where, after = f"{old.name}.{name}", new.fields.get(name)
        if after is None:
            yield Change(where, "the field was removed")
            continue
        if not _gives_the_same(field.type, after.type, schema):
            yield Change(where, f"the type changed from {field.type} to {after.type}")
        for key, argument in field.args.items():
            changed = after.args.get(key)
            if changed is None:
                yield Change(f"{where}({key}:)", "the argument was removed")
            elif not _takes_the_same(argument.type, changed.type):
                yield Change(f"{where}({key}:)", f"the type changed from {argument.type} to {changed.type}")
            elif is_required_argument(changed) and not is_required_argument(argument):
                yield Change(where, f"the argument {key} is required now")
        yield from _required(where, "argument", field.args, after.args, is_required_argument)


def _of_input(old: GraphQLInputObjectType, new: GraphQLInputObjectType) -> Iterator[Change]:
    if new.is_one_of and not old.is_one_of:
        yield Change(old.name, "exactly one field must be given now")
    for name, field in old.fields.items():
        after = new.fields.get(name)
        if after is None:
            yield Change(f"{old.name}.{name}", "the field was removed")
        elif not _takes_the_same(field.type, after.type):
            yield Change(f"{old.name}.{name}", f"the type changed from {field.type} to {after.type}")
        elif is_required_input_field(after) and not is_required_input_field(field):
            yield Change(old.name, f"the field {name} is required now")
    yield from _required(old.name, "field", old.fields, new.fields, is_required_input_field)


def _required(
    where: str, kind: str, old: Mapping[str, Any], new: Mapping[str, Any], is_required: Any
) -> Iterator[Change]:
    for name, item in new.items():
        if name not in old and is_required(item):
            yield Change(where, f"the {kind} {name} was added and is required")


def _gives_the_same(old: Any, new: Any, schema: GraphQLSchema) -> bool:
    """Tell whether values of the new type are such as clients of the old one expect."""
    if isinstance(new, GraphQLNonNull):
        return _gives_the_same(old.of_type if isinstance(old, GraphQLNonNull) else old, new.of_type, schema)
    if isinstance(old, GraphQLNonNull) or isinstance(old, GraphQLList) is not isinstance(new, GraphQLList):
        return False
    if isinstance(old, GraphQLList):
        return _gives_the_same(old.of_type, new.of_type, schema)
    wide = schema.type_map.get(old.name)
    return bool(old.name == new.name or (wide is not None and is_abstract_type(wide) and schema.is_sub_type(wide, new)))


def _takes_the_same(old: Any, new: Any) -> bool:
    """Tell whether the new type takes whatever the old one took."""
    if isinstance(old, GraphQLNonNull):
        return _takes_the_same(old.of_type, new.of_type if isinstance(new, GraphQLNonNull) else new)
    if isinstance(new, GraphQLNonNull) or isinstance(old, GraphQLList) is not isinstance(new, GraphQLList):
        return False
    if isinstance(old, GraphQLList):
        return _takes_the_same(old.of_type, new.of_type)
    return bool(old.name == new.name)
