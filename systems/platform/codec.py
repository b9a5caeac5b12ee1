"""Canonical records as JSON documents and back.

Decimals become text, times ISO 8601 in UTC, enumerations their value, tuples arrays. A problem carries its class name
under ``type``, because the field that holds it only names the root class. Reading forgives what a newer or older
version wrote: keys that the record does not know are left out, missing ones take the field's default.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from schema.records import problems
from schema.records.problems import Problem

__all__ = ["UndecodableRecord", "decode", "encode"]

R = TypeVar("R")

_TAG = "type"
_PLAIN = frozenset({str, int, bool, float})
_PLAIN_OR_NONE = _PLAIN | {type(None)}

_FieldPlan = tuple[str, frozenset[type], Callable[[Any], Any]]
"""Name of a field, types of the values that are taken as they are, reader of all others."""

_PROBLEMS: Mapping[str, type] = {
    name: member
    for name in problems.__all__
    if isinstance(member := getattr(problems, name), type) and issubclass(member, Problem)
}


class UndecodableRecord(ValueError):
    """A stored document does not fit its record: the data is damaged or was written by an unknown version."""


def encode(value: Any) -> Any:
    """Return the value as JSON.

    Raises:
        TypeError: the value holds something that no record may hold.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): encode(entry) for key, entry in value.items()}
        case tuple() | list():
            return [encode(entry) for entry in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            encoded = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
            return {_TAG: type(value).__name__, **encoded} if isinstance(value, Problem) else encoded
        case _:
            raise TypeError(f"{type(value).__name__} is not part of any record")


def decode(record: type[R], document: Any) -> R:
    """Return the record that a document stands for.

    Raises:
        UndecodableRecord: a value has the wrong shape or a field without default is missing.
    """
    decoded: R = _reader(cast("Any", record))(document)
    return decoded


@cache
def _reader(annotation: Any) -> Callable[[Any], Any]:
    """Return the function that reads values of one annotation; made once per annotation."""
    if annotation is Any:
        return lambda value: value
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return _optional_reader(annotation)
    if origin is tuple:
        read_entry = _reader(get_args(annotation)[0])
        return lambda value: tuple([read_entry(entry) for entry in _expect(list, value)])
    if isinstance(annotation, type) and issubclass(annotation, Problem):
        return _read_problem
    if is_dataclass(annotation):
        return _record_reader(cast("type", annotation))
    return _scalar_reader(annotation)


def _optional_reader(annotation: Any) -> Callable[[Any], Any]:
    inner = [entry for entry in get_args(annotation) if entry is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"records hold no unions but optional values, found {annotation}")
    read = _reader(inner[0])
    return lambda value: None if value is None else read(value)


def _scalar_reader(annotation: Any) -> Callable[[Any], Any]:
    if annotation is Decimal:
        return _converter(Decimal)
    if annotation is datetime:
        return _converter(datetime.fromisoformat)
    if annotation is date:
        return _converter(date.fromisoformat)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        members = {member.value: member for member in annotation}
        convert = _converter(annotation)
        return lambda value: members[value] if type(value) is str and value in members else convert(value)
    if annotation in _PLAIN:
        return partial(_expect, annotation)
    raise TypeError(f"records hold no {annotation}")


def _expect(wanted: type, value: Any) -> Any:
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise UndecodableRecord(f"expected {wanted.__name__}, found {value!r}")
    return value


def _converter(make: Callable[[str], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            _expect(str, value)
        try:
            return make(value)
        except (ValueError, ArithmeticError) as error:
            raise UndecodableRecord(f"{value!r}: {error}") from error

    return convert


def _read_problem(value: Any) -> Problem:
    name = _expect(dict, value).get(_TAG)
    found = _PROBLEMS.get(name)
    if found is None:
        raise UndecodableRecord(f"no problem is called {name!r}")
    problem: Problem = _record_reader(found)(value)
    return problem


@cache
def _record_reader(record: type) -> Callable[[Any], Any]:
    """Return the function that reads one record class.

    Orders are read by the hundred, so what most fields hold (plain values, and None where it may be) is taken without
    calling a reader. The plan is made at first use, so that records may nest each other.
    """
    plan: list[_FieldPlan] = []
    optional = frozenset(
        field.name for field in fields(record) if not (field.default is MISSING and field.default_factory is MISSING)
    )

    def read(value: Any) -> Any:
        if not plan:
            plan.extend(_plan(record))
        document = _expect(dict, value)
        found = {}
        for name, as_they_are, read_field in plan:
            try:
                entry = document[name]
            except KeyError:
                if name not in optional:
                    raise UndecodableRecord(f"{record.__name__}: {name} is missing") from None
                continue
            found[name] = entry if type(entry) in as_they_are else read_field(entry)
        return record(**found)

    return read


def _plan(record: type) -> Iterator[_FieldPlan]:
    hints = get_type_hints(record)
    for field in fields(record):
        hint = hints[field.name]
        kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        yield field.name, frozenset(kinds) & _PLAIN_OR_NONE, _reader(hint)
