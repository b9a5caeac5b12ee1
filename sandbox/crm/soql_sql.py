"""A query's tree as SQL over the tables of the objects. Names are looked up, values always bound.

Comparisons have two values as in the CRM, not three as in SQL: what is null differs from every text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from sandbox.crm.ids import full_id
from sandbox.crm.objects import Child, Field, Kind, SObject, find_object
from sandbox.crm.soql import (
    And,
    Comparison,
    Condition,
    Literal,
    LiteralKind,
    Not,
    Or,
    OrderBy,
    Path,
    Query,
    SoqlError,
)
from sandbox.crm.values import day_text, time_text

__all__ = ["Column", "Statement", "compile_soql"]

MAX_PARENTS = 5
"""Parents between a record and a field that a query names, as in the CRM."""

_WANTED = {
    Kind.ID: LiteralKind.STRING,
    Kind.REFERENCE: LiteralKind.STRING,
    Kind.STRING: LiteralKind.STRING,
    Kind.BOOLEAN: LiteralKind.BOOLEAN,
    Kind.DOUBLE: LiteralKind.NUMBER,
    Kind.DATE: LiteralKind.DATE,
    Kind.DATETIME: LiteralKind.DATETIME,
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Column:
    """A selected field: the names of the parents on the way to it, and its SQL."""

    parents: tuple[str, ...]
    field: Field
    sql: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A query in SQL.

    Attributes:
        target: the object whose records are found; its table is ``t0``.
        name: name of the children in a subquery, None for the query itself.
        child: which children they are.
        columns: what is shown of a record.
        parents: (names on the way, object, SQL of the id) of every parent that is shown.
        source: tables, for FROM.
        where: condition with ``params`` to bind.
        order: sort keys; the id is the last, so that no two records are equal.
        limit: records at most; None for all.
        offset: records left out at the beginning.
        is_count: whether only the number of records is asked.
        children: subqueries.
    """

    target: SObject
    name: str | None
    child: Child | None
    columns: tuple[Column, ...]
    parents: tuple[tuple[tuple[str, ...], SObject, str], ...]
    source: str
    where: str
    params: tuple[Any, ...]
    order: str
    limit: int | None
    offset: int
    is_count: bool
    children: tuple[Statement, ...]


def compile_soql(query: Query, text: str) -> Statement:
    """Return the SQL of a query; ``text`` is what it was read from, for messages.

    Raises:
        SoqlError: an object or a field does not exist, or a value is not of the field's type.
    """
    name = ".".join(query.source.names)
    target = find_object(name)
    if target is None:
        raise SoqlError("INVALID_TYPE", text, query.source.at, f"sObject type '{name}' is not supported.")
    return _Compiler(target, text).statement(query, None, None)


@dataclass(slots=True)
class _Compiler:
    """Collects the joins and values of one statement."""

    target: SObject
    text: str
    joins: dict[tuple[str, ...], tuple[str, SObject]] = field(default_factory=dict)
    params: list[Any] = field(default_factory=list)

    def statement(self, query: Query, name: str | None, child: Child | None) -> Statement:
        columns: list[Column] = []
        for path in query.fields:
            column = self.column(path)
            if column in columns:
                raise SoqlError("INVALID_FIELD", self.text, path.at, f"duplicate field selected: {column.field.name}")
            columns.append(column)
        shown = dict.fromkeys(
            column.parents[:depth] for column in columns for depth in range(1, len(column.parents) + 1)
        )
        where = "" if query.where is None else f" AND {self.condition(query.where)}"
        order = [self.key(entry) for entry in query.order]
        children = tuple(self.subquery(entry) for entry in query.children)
        return Statement(
            target=self.target,
            name=name,
            child=child,
            columns=tuple(columns),
            parents=tuple((names, *self.parent(names)) for names in shown),
            source=self.source(),
            where=f'NOT t0."IsDeleted"{where}',
            params=tuple(self.params),
            order=", ".join([*order, 't0."Id"']),
            limit=query.limit,
            offset=query.offset,
            is_count=query.is_count,
            children=children,
        )

    def subquery(self, query: Query) -> Statement:
        name = ".".join(query.source.names)
        child = self.target.children.get(name.lower())
        target = None if child is None else find_object(child.object_name)
        if target is None:
            problem = f"Didn't understand relationship '{name}' in FROM part of query call."
            raise SoqlError("INVALID_TYPE", self.text, query.source.at, problem)
        return _Compiler(target, self.text).statement(query, name, child)

    def source(self) -> str:
        tables = [f'"{self.target.name}" AS t0']
        for names, (alias, target) in self.joins.items():
            before = "t0" if len(names) == 1 else self.joins[names[:-1]][0]
            pointer = self.object_at(names[:-1]).parents[names[-1].lower()]
            tables.append(f'LEFT JOIN "{target.name}" AS {alias} ON {alias}."Id" = {before}."{pointer.name}"')
        return " ".join(tables)

    def parent(self, names: tuple[str, ...]) -> tuple[SObject, str]:
        alias, target = self.joins[names]
        return target, f'{alias}."Id"'

    def object_at(self, names: tuple[str, ...]) -> SObject:
        return self.joins[names][1] if names else self.target

    def column(self, path: Path) -> Column:
        *parents, name = path.names
        if len(parents) > MAX_PARENTS:
            problem = f"a field lies at most {MAX_PARENTS} parents away: {'.'.join(path.names)}"
            raise SoqlError("MALFORMED_QUERY", self.text, path.at, problem)
        names: tuple[str, ...] = ()
        for parent in parents:
            names = self.join(names, parent, path)
        target = self.object_at(names)
        found = target.fields.get(name.lower())
        if found is None:
            problem = (
                f"No such column '{name}' on entity '{target.name}'. If you are attempting to use a custom field, be "
                "sure to append the '__c' after the custom field name."
            )
            raise SoqlError("INVALID_FIELD", self.text, path.at, problem)
        alias = self.joins[names][0] if names else "t0"
        return Column(names, found, f'{alias}."{found.name}"')

    def join(self, names: tuple[str, ...], parent: str, path: Path) -> tuple[str, ...]:
        """Return the names of a parent in their own spelling; its table is joined."""
        pointer = self.object_at(names).parents.get(parent.lower())
        target = None if pointer is None or pointer.target is None else find_object(pointer.target)
        if pointer is None or pointer.parent is None or target is None:
            problem = f"Didn't understand relationship '{parent}' in field path."
            raise SoqlError("INVALID_FIELD", self.text, path.at, problem)
        longer = (*names, pointer.parent)
        self.joins.setdefault(longer, (f"t{len(self.joins) + 1}", target))
        return longer

    def key(self, entry: OrderBy) -> str:
        direction = "DESC" if entry.is_descending else "ASC"
        return f"{self.column(entry.path).sql} {direction} NULLS {'LAST' if entry.nulls_last else 'FIRST'}"

    def condition(self, condition: Condition) -> str:
        match condition:
            case And(parts):
                return f"({' AND '.join(self.condition(part) for part in parts)})"
            case Or(parts):
                return f"({' OR '.join(self.condition(part) for part in parts)})"
            case Not(inner):
                return f"NOT coalesce({self.condition(inner)}, 0)"
            case Comparison():
                return self.comparison(condition)
        assert_never(condition)

    def comparison(self, comparison: Comparison) -> str:
        column = self.column(comparison.path)
        operator, values = comparison.operator, comparison.values
        if operator == "LIKE":
            return self.like(column, values[0])
        nulls = [value for value in values if value.kind is LiteralKind.NULL]
        if nulls and operator in ("<", "<=", ">", ">="):
            problem = f"null cannot be compared with {operator}"
            raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", self.text, nulls[0].at, problem)
        bound = [self.bind(column.field, value) for value in values if value.kind is not LiteralKind.NULL]
        if operator in ("<", "<=", ">", ">="):
            return f"{column.sql} {operator} {bound[0]}"
        is_negative = operator in ("!=", "NOT IN")
        found = f"{column.sql} {'NOT IN' if is_negative else 'IN'} ({', '.join(bound)})"
        if is_negative:
            return f"({column.sql} IS NOT NULL AND {found})" if nulls else f"({column.sql} IS NULL OR {found})"
        return f"({column.sql} IS NULL OR {found})" if nulls else found

    def like(self, column: Column, value: Literal) -> str:
        if column.field.kind is not Kind.STRING:
            problem = f"invalid operator on {column.field.kind} field"
            raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", self.text, value.at, problem)
        self.check(column.field, value)
        self.params.append(self.unescape(value, is_pattern=True))
        return f"{column.sql} LIKE ? ESCAPE '\\'"

    def bind(self, wanted: Field, value: Literal) -> str:
        self.check(wanted, value)
        self.params.append(self.value(wanted, value))
        return "?"

    def check(self, wanted: Field, value: Literal) -> None:
        if value.kind is _WANTED[wanted.kind]:
            return
        quotes = "should be enclosed in quotes"
        if _WANTED[wanted.kind] is not LiteralKind.STRING:
            quotes = "should not be enclosed in quotes"
        problem = f"value of filter criterion for field '{wanted.name}' must be of type {wanted.kind} and {quotes}"
        raise SoqlError("INVALID_FIELD", self.text, value.at, problem)

    def value(self, wanted: Field, value: Literal) -> Any:
        match value.kind:
            case LiteralKind.NUMBER:
                return float(value.text)
            case LiteralKind.BOOLEAN:
                return int(value.text == "true")
            case LiteralKind.DATE | LiteralKind.DATETIME:
                return self.moment(value)
        text = self.unescape(value, is_pattern=False)
        if wanted.kind is Kind.STRING:
            return text
        record_id = full_id(text)
        if record_id is None:
            problem = f"invalid ID field: {text}"
            raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", self.text, value.at, problem)
        return record_id

    def moment(self, value: Literal) -> str:
        try:
            if value.kind is LiteralKind.DATE:
                return day_text(value.text)
            return time_text(datetime.fromisoformat(value.text))
        except ValueError as error:
            raise SoqlError("MALFORMED_QUERY", self.text, value.at, f"no such time: {value.text}") from error

    def unescape(self, value: Literal, *, is_pattern: bool) -> str:
        r"""Return a string without its escapes; a pattern keeps ``\`` before what stands for itself."""
        text = ""
        letters = iter(value.text)
        for letter in letters:
            if letter != "\\":
                text += letter
                continue
            escaped = next(letters)  # the token ends in no single backslash
            if escaped in "%_" and is_pattern:
                text += f"\\{escaped}"
            elif escaped in _ESCAPES:
                plain = _ESCAPES[escaped]
                text += "\\\\" if is_pattern and plain == "\\" else plain
            else:
                problem = f"Illegal string escape sequence: \\{escaped}"
                raise SoqlError("MALFORMED_QUERY", self.text, value.at, problem)
        return text
