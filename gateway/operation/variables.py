"""Check the client's variables against the operation's definitions before anything is sent.

Subgraphs get the values as the client wrote them; what is checked here is that they fit, so that a mistake is answered
once, with the variable and the place in it, instead of by whichever subgraph notices first.
https://spec.graphql.org/draft/#sec-Coercing-Variable-Values
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    is_required_input_field,
    print_ast,
    value_from_ast_untyped,
)
from graphql.language import ListTypeNode, NonNullTypeNode, TypeNode, VariableDefinitionNode

from gateway.errors import ErrorCode, RequestError
from gateway.supergraph import named_type

__all__ = ["NO_VARIABLES", "VariableChecker", "Variables"]

MAX_FAULTS = 20
"""Most faults that one answer names; a client that sends more mistakes fixes these first."""

_MIN_INT, _MAX_INT = -(2**31), 2**31 - 1


@dataclass(frozen=True, slots=True)
class Variables:
    """Checked variables.

    Attributes:
        values: what the client gave for variables of the operation, unchanged; what it left out is absent.
        defaults: default values of variables that it left out.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


NO_VARIABLES = Variables()

_Fault = tuple[str, str]
_Check = Callable[[Any, str, list[_Fault]], None]


class VariableChecker:
    """Checks variables of one operation; compiled once."""

    def __init__(self, definitions: tuple[VariableDefinitionNode, ...], schema: GraphQLSchema) -> None:
        compiler = _Compiler()
        self._checks: dict[str, _Check] = {}
        self._required: list[tuple[str, str]] = []
        self._defaults: dict[str, Any] = {}
        for definition in definitions:
            name = definition.variable.name.value
            self._checks[name] = compiler.check_node(definition.type, schema)
            if definition.default_value is not None:
                self._defaults[name] = value_from_ast_untyped(definition.default_value)
            elif isinstance(definition.type, NonNullTypeNode):
                self._required.append((name, print_ast(definition.type)))

    @property
    def all_defaults(self) -> Mapping[str, Any]:
        """Default values of all variables that have one."""
        return self._defaults

    def check(self, given: Mapping[str, Any] | None) -> Variables:
        """Return the checked variables.

        Raises:
            RequestError: BAD_USER_INPUT naming every variable at fault and the path in it.
        """
        if not self._checks:
            return NO_VARIABLES
        given = given or {}
        faults: list[_Fault] = []
        for name, type_ in self._required:
            if name not in given:
                faults.append((f"${name}", f"a value of type {type_} is required and none was given"))
        values = {name: given[name] for name in self._checks if name in given}
        for name, value in values.items():
            self._checks[name](value, f"${name}", faults)
        if faults:
            listed = "; ".join(f"{where}: {what}" for where, what in faults[:MAX_FAULTS])
            raise RequestError(ErrorCode.BAD_USER_INPUT, f"invalid variables: {listed}")
        defaults = {name: value for name, value in self._defaults.items() if name not in values}
        return Variables(values, defaults)


class _Compiler:
    """Makes one check per type; input objects may refer to themselves, so theirs are looked up when they run."""

    def __init__(self) -> None:
        self._objects: dict[str, _Check] = {}

    def check_node(self, node: TypeNode, schema: GraphQLSchema) -> _Check:
        """Return the check for a type as an operation writes it; built-in scalars need not be in the schema."""
        if isinstance(node, NonNullTypeNode):
            return _check_non_null(print_ast(node), self.check_node(node.type, schema))
        if isinstance(node, ListTypeNode):
            return _check_nullable(_check_list(self.check_node(node.type, schema)))
        name = named_type(node)
        known = schema.type_map.get(name)
        if known is None:
            return _check_nullable(_SCALARS.get(name, _check_anything))
        return self.check(cast("GraphQLInputType", known))

    def check(self, type_: GraphQLInputType) -> _Check:
        """Return the check for a type of the schema."""
        if isinstance(type_, GraphQLNonNull):
            return _check_non_null(str(type_), self.check(type_.of_type))
        return _check_nullable(self._check_value(type_))

    def _check_value(self, type_: GraphQLInputType) -> _Check:
        if isinstance(type_, GraphQLList):
            return _check_list(self.check(type_.of_type))
        if isinstance(type_, GraphQLEnumType):
            return _check_enum(type_.name, frozenset(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return self._check_object(type_)
        return _SCALARS.get(type_.name, _check_anything)  # type: ignore[union-attr]

    def _check_object(self, type_: GraphQLInputObjectType) -> _Check:
        name = type_.name
        if name in self._objects:

            def check_again(value: Any, where: str, faults: list[_Fault]) -> None:
                self._objects[name](value, where, faults)  # looked up now: the entry is still a stand-in above

            return check_again
        self._objects[name] = _check_anything  # replaced below; a type that contains itself finds the entry
        fields = {key: self.check(item.type) for key, item in type_.fields.items()}
        required = {key: str(item.type) for key, item in type_.fields.items() if is_required_input_field(item)}
        self._objects[name] = _check_input(name, fields, required, is_one_of=type_.is_one_of)
        return self._objects[name]


def _check_non_null(expected: str, inner: _Check) -> _Check:
    def check(value: Any, where: str, faults: list[_Fault]) -> None:
        if value is None:
            faults.append((where, f"{expected} cannot be null"))
        else:
            inner(value, where, faults)

    return check


def _check_nullable(inner: _Check) -> _Check:
    def check(value: Any, where: str, faults: list[_Fault]) -> None:
        if value is not None:
            inner(value, where, faults)

    return check


def _check_list(item: _Check) -> _Check:
    def check(value: Any, where: str, faults: list[_Fault]) -> None:
        if not isinstance(value, list):
            item(value, where, faults)  # a single value stands for a list of one
            return
        for index, one in enumerate(value):
            item(one, f"{where}[{index}]", faults)

    return check


def _check_enum(name: str, values: frozenset[str]) -> _Check:
    def check(value: Any, where: str, faults: list[_Fault]) -> None:
        if not isinstance(value, str) or value not in values:
            known = ", ".join(sorted(values)[:MAX_FAULTS])
            faults.append((where, f"{_show(value)} is no value of {name}; it has {known}"))

    return check


def _check_input(name: str, fields: Mapping[str, _Check], required: Mapping[str, str], *, is_one_of: bool) -> _Check:
    def check(value: Any, where: str, faults: list[_Fault]) -> None:
        if not isinstance(value, dict):
            faults.append((where, f"an object of type {name} is expected, not {_show(value)}"))
            return
        for key, type_ in required.items():
            if key not in value:
                faults.append((f"{where}.{key}", f"a value of type {type_} is required and none was given"))
        for key, one in value.items():
            if key in fields:
                fields[key](one, f"{where}.{key}", faults)
            else:
                faults.append((f"{where}.{key}", f"{name} has no such field; it has {', '.join(sorted(fields))}"))
        if is_one_of and (len(value) != 1 or None in value.values()):
            faults.append((where, f"exactly one field of {name} must be given, and not null"))

    return check


def _check_scalar(name: str, accepts: Callable[[Any], bool]) -> _Check:
    def check(value: Any, where: str, faults: list[_Fault]) -> None:
        if not accepts(value):
            faults.append((where, f"{name} cannot be {_show(value)}"))

    return check


def _is_int(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return value.is_integer() and _MIN_INT <= value <= _MAX_INT
    return isinstance(value, int) and _MIN_INT <= value <= _MAX_INT


def _check_anything(value: Any, where: str, faults: list[_Fault]) -> None:
    """Accept a custom scalar; only the subgraphs that define it know its values."""


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if not isinstance(value, bool | None) else {True: "true", False: "false", None: "null"}[value]
    return text if len(text) <= 40 else text[:39] + "…"


_SCALARS: Mapping[str, _Check] = {
    "Int": _check_scalar("Int", _is_int),
    "Float": _check_scalar("Float", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "String": _check_scalar("String", lambda value: isinstance(value, str)),
    "Boolean": _check_scalar("Boolean", lambda value: isinstance(value, bool)),
    "ID": _check_scalar("ID", lambda value: isinstance(value, str) or (type(value) is int)),
}
