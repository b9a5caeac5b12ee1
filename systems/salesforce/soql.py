"""SOQL as text: values quoted so that they are nothing else, lists cut to the vendor's limit of an address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

__all__ = ["MAX_KEY_CHARS", "ends_with", "in_lists", "literal", "select", "starts_with"]

MAX_KEY_CHARS = 255
"""Longest text that is searched by: no external id and no name is longer, so a longer one is nobody's."""

MAX_QUERY_BYTES = 16_000
"""Longest query in an address. The vendor takes 16,384 bytes in all."""

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def select(fields: str, source: str, *conditions: str, order: str = "") -> str:
    """Return a query; all conditions must hold."""
    query = f"SELECT {fields} FROM {source} WHERE {' AND '.join(conditions)}"  # noqa: S608 - literal() quotes values
    return f"{query} ORDER BY {order}" if order else query


def literal(text: str) -> str:
    """Return a text as a string of SOQL."""
    return "'" + "".join(_ESCAPES.get(letter, letter) for letter in text) + "'"


def starts_with(path: str, text: str) -> str:
    """Return the condition that a field begins with a text; what would be a wildcard in it stands for itself."""
    return f"{path} LIKE '{_pattern(text)}%'"


def ends_with(path: str, text: str) -> str:
    """Return the condition that a field ends with a text; what would be a wildcard in it stands for itself."""
    return f"{path} LIKE '%{_pattern(text)}'"


def in_lists(template: str, values: Iterable[str]) -> Iterator[str]:
    """Return as few queries as there must be to ask for all values; ``{}`` in the template is the list.

    Repeated values are asked once, empty ones and those that are nobody's not at all.
    """
    room = MAX_QUERY_BYTES - _size(template)
    batch: list[str] = []
    used = 0
    for value in dict.fromkeys(values):
        if not 0 < len(value) <= MAX_KEY_CHARS:
            continue
        entry = literal(value)
        size = _size(f"{entry},")
        if batch and used + size > room:
            yield template.replace("{}", ",".join(batch))
            batch, used = [], 0
        batch.append(entry)
        used += size
    if batch:
        yield template.replace("{}", ",".join(batch))


def _pattern(text: str) -> str:
    return literal(text)[1:-1].replace("%", "\\%").replace("_", "\\_")


def _size(text: str) -> int:
    """Return the bytes of a text in an address, at most."""
    return len(quote(text, safe=""))
