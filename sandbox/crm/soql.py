"""Reads SOQL: text to tokens, tokens to a frozen tree.

The part that is read: fields, fields of parents, subqueries over children, ``COUNT()``, WHERE with comparisons, LIKE,
IN, NOT, AND, OR, ORDER BY, LIMIT and OFFSET. As in the CRM, AND and OR mix only with parentheses, and NOT stands
alone in its parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "And",
    "Comparison",
    "Condition",
    "Literal",
    "LiteralKind",
    "Not",
    "Or",
    "OrderBy",
    "Path",
    "Query",
    "SoqlError",
    "parse_soql",
]

MAX_CHARS = 100_000
"""Longest query, as in the CRM."""

MAX_DEPTH = 30
"""Deepest nesting of conditions."""

MAX_OFFSET = 2_000
"""Largest OFFSET, as in the CRM."""

_SHOWN = 40
"""Characters of the query that an error shows before the place."""

_TOKEN = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.)*')"
    r"|(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<word>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)"
    r"|(?P<mark><=|>=|!=|<>|[=<>(),])",
    re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_RESERVED = frozenset({"AND", "FROM", "IN", "LIKE", "LIMIT", "NOT", "OR", "SELECT", "WHERE"})
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class SoqlError(Exception):
    """A query that cannot be answered; the message shows the place as the CRM does."""

    def __init__(self, code: str, text: str, at: int, problem: str) -> None:
        row = text.count("\n", 0, at) + 1
        column = at - (text.rfind("\n", 0, at) + 1) + 1
        shown = text[max(0, at - _SHOWN) : at + _SHOWN].replace("\n", " ")
        caret = " " * min(at, _SHOWN) + "^"
        super().__init__(f"\n{shown}\n{caret}\nERROR at Row:{row}:Column:{column}\n{problem}")
        self.code = code


class LiteralKind(StrEnum):
    """What is written in a comparison."""

    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; ``text`` is as written, a string without its quotes but with its escapes."""

    kind: LiteralKind
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """A field, or the field of a parent: ``Owner.Name``."""

    names: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``operator`` is one of = != < <= > >= LIKE, with one value, or IN, NOT IN."""

    path: Path
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class And:
    """What must all hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Of which one must hold."""

    parts: tuple[Condition, ...]


Condition = Comparison | Not | And | Or


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One key of the order."""

    path: Path
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A query. ``is_count`` stands for ``COUNT()`` instead of fields; ``source`` names the object, or the children."""

    fields: tuple[Path, ...]
    children: tuple[Query, ...]
    is_count: bool
    source: Path
    where: Condition | None
    order: tuple[OrderBy, ...]
    limit: int | None
    offset: int


def parse_soql(text: str) -> Query:
    """Return the tree of a query.

    Raises:
        SoqlError: it cannot be read.
    """
    if len(text) > MAX_CHARS:
        raise SoqlError("MALFORMED_QUERY", text, MAX_CHARS, f"the query is longer than {MAX_CHARS} characters")
    return _Reader(text).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while (at := _SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr] # matches nothing at worst
        found = _TOKEN.match(text, at)
        if found is None:
            raise SoqlError("MALFORMED_QUERY", text, at, f"unexpected token: '{text[at]}'")
        yield _Token(str(found.lastgroup), found.group(), at)
        at = found.end()
    yield _Token("end", "<EOF>", len(text))


class _Reader:
    """Reads the tokens from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def whole(self) -> Query:
        query = self._query(is_child=False)
        if self._peek().kind != "end":
            raise self._unexpected(self._peek())
        return query

    def _query(self, *, is_child: bool) -> Query:
        self._word("SELECT")
        fields: list[Path] = []
        children: list[Query] = []
        is_count = not is_child and self._count()
        while not is_count:
            if self._peek().text == "(" and not is_child:
                self._take()
                children.append(self._query(is_child=True))
                self._mark(")")
            else:
                fields.append(self._path())
            if not self._has_mark(","):
                break
        self._word("FROM")
        source = self._path(may_be_reserved=True)
        where = self._any(0) if self._has_word("WHERE") else None
        order: list[OrderBy] = []
        if self._has_word("ORDER"):
            self._word("BY")
            order.append(self._order())
            while self._has_mark(","):
                order.append(self._order())
        limit = self._whole_number() if self._has_word("LIMIT") else None
        offset = self._offset() if self._has_word("OFFSET") else 0
        return Query(tuple(fields), tuple(children), is_count, source, where, tuple(order), limit, offset)

    def _count(self) -> bool:
        """Take ``COUNT()`` if it is next."""
        if self._peek().text.upper() != "COUNT" or self._tokens[self._next + 1].text != "(":
            return False
        self._take()
        self._mark("(")
        self._mark(")")
        return True

    def _any(self, depth: int) -> Condition:
        """Read conditions on one level: all joined by AND, or all by OR."""
        token = self._peek()
        if depth > MAX_DEPTH:
            raise SoqlError("MALFORMED_QUERY", self._text, token.at, f"conditions are nested deeper than {MAX_DEPTH}")
        if self._has_word("NOT"):
            return Not(self._one(depth))
        parts = [self._one(depth)]
        for word, join in (("AND", And), ("OR", Or)):
            if self._is_word(word):
                while self._has_word(word):
                    parts.append(self._one(depth))
                return join(tuple(parts))
        return parts[0]

    def _one(self, depth: int) -> Condition:
        if self._has_mark("("):
            inner = self._any(depth + 1)
            self._mark(")")
            return inner
        path = self._path()
        token = self._take()
        word = token.text.upper()
        if token.kind == "mark" and word in _COMPARISONS:
            return Comparison(path, _COMPARISONS[word], (self._literal(),))
        if word == "LIKE":
            return Comparison(path, word, (self._literal(),))
        if word == "NOT":
            self._word("IN")
            return Comparison(path, "NOT IN", self._literals())
        if word == "IN":
            return Comparison(path, word, self._literals())
        raise self._unexpected(token)

    def _literals(self) -> tuple[Literal, ...]:
        self._mark("(")
        values = [self._literal()]
        while self._has_mark(","):
            values.append(self._literal())
        self._mark(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "string":
            return Literal(LiteralKind.STRING, token.text[1:-1], token.at)
        if token.kind in (LiteralKind.NUMBER, LiteralKind.DATE, LiteralKind.DATETIME):
            return Literal(LiteralKind(token.kind), token.text, token.at)
        word = token.text.lower()
        if word in ("true", "false"):
            return Literal(LiteralKind.BOOLEAN, word, token.at)
        if word == "null":
            return Literal(LiteralKind.NULL, word, token.at)
        raise self._unexpected(token)

    def _order(self) -> OrderBy:
        path = self._path()
        is_descending = self._has_word("DESC")
        if not is_descending:
            self._has_word("ASC")
        nulls_last = False
        if self._has_word("NULLS"):
            nulls_last = self._has_word("LAST")
            if not nulls_last:
                self._word("FIRST")
        return OrderBy(path, is_descending, nulls_last)

    def _path(self, *, may_be_reserved: bool = False) -> Path:
        token = self._take()
        if token.kind != "word" or (token.text.upper() in _RESERVED and not may_be_reserved):
            raise self._unexpected(token)
        return Path(tuple(token.text.split(".")), token.at)

    def _whole_number(self) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdigit():
            raise self._unexpected(token)
        return int(token.text)

    def _offset(self) -> int:
        at = self._peek().at
        number = self._whole_number()
        if number > MAX_OFFSET:
            problem = f"Maximum SOQL offset allowed is {MAX_OFFSET}"
            raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", self._text, at, problem)
        return number

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _is_word(self, word: str) -> bool:
        token = self._peek()
        return token.kind == "word" and token.text.upper() == word

    def _has_word(self, word: str) -> bool:
        """Take a word if it is next."""
        if not self._is_word(word):
            return False
        self._take()
        return True

    def _word(self, word: str) -> None:
        if not self._has_word(word):
            raise self._unexpected(self._peek())

    def _has_mark(self, mark: str) -> bool:
        """Take a mark if it is next."""
        token = self._peek()
        if token.kind != "mark" or token.text != mark:
            return False
        self._take()
        return True

    def _mark(self, mark: str) -> None:
        if not self._has_mark(mark):
            raise self._unexpected(self._peek())

    def _unexpected(self, token: _Token) -> SoqlError:
        return SoqlError("MALFORMED_QUERY", self._text, token.at, f"unexpected token: '{token.text}'")
