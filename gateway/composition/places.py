"""Where the subgraphs define what a finding of the merged schema is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graphql.language import Node

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import Definition, Member, Subgraph

__all__ = ["Reporter", "find_places"]

_COORDINATE = re.compile(r"^(?P<owner>@?\w+)(?:\.(?P<member>\w+))?(?:\((?P<argument>\w+):\))?$")


class Reporter:
    """Reports errors of the merged schema with the places in the subgraphs that they come from."""

    def __init__(self, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
        self._subgraphs = subgraphs
        self._diagnostics = diagnostics

    def error(self, code: Fault, message: str, coordinate: str, *marks: str) -> None:
        """Add an error; with ``marks``, at the definitions that carry one of these federation directives."""
        at = find_places(self._subgraphs, coordinate, *marks)
        self._diagnostics.error(code, message, coordinate=coordinate, at=at)


def find_places(subgraphs: Sequence[Subgraph], coordinate: str, *marks: str) -> list[tuple[str, Node | None]]:
    """Return by subgraph name the nodes that define what a coordinate names.

    A field that only an interface object gives stands at no type of its own; the types that get it are returned then.

    With ``marks``, names of federation directives, only definitions that carry one are returned, if there are any.
    """
    parts = {subgraph.name: list(_parts(subgraph, coordinate)) for subgraph in subgraphs}
    depth = max(map(len, parts.values()), default=0)
    found = [(name, items[-1]) for name, items in parts.items() if items and len(items) == depth]
    marked = [(name, item) for name, item in found if any(item.has(mark) for mark in marks)]
    return [(name, item.node) for name, item in marked or found]


def _parts(subgraph: Subgraph, coordinate: str) -> Iterator[Definition | Member]:
    match = _COORDINATE.match(coordinate)
    if match is None:
        return
    owner, name, argument = match["owner"], match["member"], match["argument"]
    if owner.startswith("@"):
        found: Definition | Member | None = subgraph.directive_members.get(owner[1:])
    else:
        found = subgraph.definitions.get(owner)
    if found is None:
        return
    yield found
    if isinstance(found, Definition) and name is not None:
        found = found.members.get(name)
        if found is None:
            return
        yield found
    if isinstance(found, Member) and argument in found.arguments:
        yield found.arguments[argument]
