"""``$filter`` of OData v4 as SQL: comparisons, ``in``, ``and``, ``or``, ``not``, and the functions of texts.

Literals are bound, never pasted. Names are looked up in the columns of the entity set, so nothing else can be named.
A value of another kind than its field is refused, as Business Central does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.kit.rest import utc_text

__all__ = ["FLAG", "NUMBER", "TEXT", "BadFilter", "Column", "Condition", "parse_filter"]

MAX_CHARS = 24_000
"""Longest filter."""

MAX_DEPTH = 30
"""Deepest nesting of parentheses and ``not``."""

MAX_CONDITIONS = 500
"""Most conditions of a filter; the store cannot read far longer chains."""

TEXT = frozenset(("text", "time", "guid"))
NUMBER = frozenset(("number",))
FLAG = frozenset(("flag",))
"""Kinds of literals that a column can be compared with."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<time>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)"
    r"|(?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F-]{27})|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_/]*)"
    r"|(?P<mark>[(),]))"
)
_COMPARISONS = {"eq": "=", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FUNCTIONS = {
    "contains": "instr({column}, ?) > 0",
    "startswith": "substr({column}, 1, length(?)) = ?",
    "endswith": "substr({column}, -length(?)) = ?",
}


class BadFilter(ValueError):
    """The filter cannot be read; the message says where."""


@dataclass(frozen=True, slots=True)
class Column:
    """An SQL expression, and the kinds of literals that it is compared with."""

    sql: str
    accepts: frozenset[str] = TEXT


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL with its bound values."""

    sql: str
    params: tuple[Any, ...]


@dataclass(slots=True)
class _Reader:
    """Reads a filter from left to right."""

    text: str
    columns: Mapping[str, Column]
    at: int = 0
    params: list[Any] = field(default_factory=list)
    conditions: int = 0

    def peek(self) -> tuple[str, str] | None:
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            if self.text[self.at :].strip():
                raise BadFilter(f"$filter cannot be read at position {self.at}: {self.text[self.at : self.at + 20]!r}")
            return None
        return str(found.lastgroup), found[str(found.lastgroup)]

    def take(self) -> tuple[str, str]:
        token = self.peek()
        found = _TOKEN.match(self.text, self.at)
        if token is None or found is None:
            raise BadFilter("$filter ends too early")
        self.at = found.end()
        return token

    def expect(self, mark: str) -> None:
        if self.take() != ("mark", mark):
            raise BadFilter(f"$filter: {mark!r} is missing at position {self.at}")

    def any_of(self, depth: int) -> str:
        parts = [self.all_of(depth)]
        while self.peek() == ("name", "or"):
            self.take()
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"

    def all_of(self, depth: int) -> str:
        parts = [self.one(depth)]
        while self.peek() == ("name", "and"):
            self.take()
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else "(" + " AND ".join(parts) + ")"

    def one(self, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise BadFilter(f"$filter is nested deeper than {MAX_DEPTH}")
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise BadFilter(f"$filter has more than {MAX_CONDITIONS} conditions")
        kind, word = self.take()
        if (kind, word) == ("mark", "("):
            inner = self.any_of(depth + 1)
            self.expect(")")
            return inner
        if kind != "name":
            raise BadFilter(f"$filter: a field is expected instead of {word!r}")
        if word == "not":
            # A comparison with null is false in OData and unknown in SQL, which negation must not keep.
            return f"NOT coalesce({self.one(depth + 1)}, 0)"
        if word in _FUNCTIONS:
            return self.function(word)
        return self.comparison(self.column(word))

    def function(self, name: str) -> str:
        self.expect("(")
        column = self.column(self.take()[1])
        self.expect(",")
        kind, literal = self.take()
        if kind != "text" or column.accepts != TEXT:
            raise BadFilter(f"$filter: {name} takes a field of text and a text")
        self.expect(")")
        text = _unquoted(literal)
        if not text:
            return "1"
        sql = _FUNCTIONS[name].format(column=column.sql)
        self.params += [text] * sql.count("?")
        return sql

    def comparison(self, column: Column) -> str:
        operator = self.take()[1]
        if operator == "in":
            self.expect("(")
            marks = [self.literal(column)]
            while self.peek() == ("mark", ","):
                self.take()
                marks.append(self.literal(column))
            self.expect(")")
            return f"{column.sql} IN ({', '.join(marks)})"
        if operator not in _COMPARISONS:
            raise BadFilter(f"$filter: {operator!r} is no comparison; use {', '.join(_COMPARISONS)} or in")
        if self.peek() == ("name", "null"):
            self.take()
            if operator not in ("eq", "ne"):
                raise BadFilter(f"$filter: null can be compared with eq and ne only, not {operator}")
            return f"{column.sql} IS {'NULL' if operator == 'eq' else 'NOT NULL'}"
        return f"{column.sql} {_COMPARISONS[operator]} {self.literal(column)}"

    def literal(self, column: Column) -> str:
        kind, word = self.take()
        if kind == "name" and word in ("true", "false"):
            kind = "flag"
        if kind not in column.accepts:
            raise BadFilter(f"$filter: {word!r} cannot be compared with this field")
        match kind:
            case "text":
                self.params.append(_unquoted(word))
            case "number":
                self.params.append(float(word))
            case "time":
                self.params.append(_moment(word))
            case "flag":
                self.params.append(int(word == "true"))
            case _:
                self.params.append(word.lower())
        return "?"

    def column(self, name: str) -> Column:
        if name not in self.columns:
            raise BadFilter(f"$filter: there is no field {name!r}")
        return self.columns[name]


def parse_filter(text: str, columns: Mapping[str, Column]) -> Condition:
    """Return the filter as SQL; ``columns`` by the names of fields.

    Raises:
        BadFilter: the filter cannot be read, names a field that is not there or compares what cannot be compared.
    """
    if len(text) > MAX_CHARS:
        raise BadFilter(f"$filter is longer than {MAX_CHARS} characters")
    reader = _Reader(text, columns)
    sql = reader.any_of(0)
    if reader.peek() is not None:
        raise BadFilter(f"$filter goes on where it should end: {reader.take()[1]!r}")
    return Condition(sql, tuple(reader.params))


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def _moment(word: str) -> str:
    """Return a date as it is, and a time as stores write it, so that they compare like times."""
    try:
        moment = datetime.fromisoformat(word)
    except ValueError as error:
        raise BadFilter(f"$filter: {word!r} is no date or time") from error
    return utc_text(moment.astimezone(UTC)) if "T" in word else word
