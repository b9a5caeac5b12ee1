"""Where the answer to an operation can be null on one schema and not on another.

A place that becomes null at times surprises clients; one that is never null any more takes its parent with it when its
subgraph fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import print_ast

from gateway.operation import Operation, SelectedField

__all__ = ["NullChange", "null_changes"]


@dataclass(frozen=True, slots=True)
class NullChange:
    """A place of an answer, by response keys, with its type before and after."""

    path: str
    old: str
    new: str


def null_changes(old: Operation, new: Operation) -> tuple[NullChange, ...]:
    """Return the places whose types differ in nothing but what may be null, in the order of the operation."""
    after = {(path, on): kind for path, on, kind in _types(new.fields, ())}
    found = (
        NullChange(path, kind, after[path, on])
        for path, on, kind in _types(old.fields, ())
        if (path, on) in after and after[path, on] != kind and _bare(after[path, on]) == _bare(kind)
    )
    return tuple(dict.fromkeys(found))


def _types(fields: tuple[SelectedField, ...], above: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield path, runtime type and type of each place; a place has one type per runtime type of its object."""
    for field in fields:
        path = (*above, field.key)
        for name in sorted(field.on):
            yield ".".join(path), name, print_ast(field.type)
        yield from _types(field.fields, path)


def _bare(kind: str) -> str:
    return kind.replace("!", "")
