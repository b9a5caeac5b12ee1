"""What subgraphs say of their types and fields: ``@cacheControl`` and ``@cacheTag``.

Both reach the supergraph as ``@join__directive(graphs:, name:, args:)``, which keeps who said it. Source:
docs/adr/0009-cache-directives.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DirectiveNode, value_from_ast_untyped
from graphql.language import EnumTypeDefinitionNode

from gateway.cache.lifetime import Lifetime, Scope
from gateway.errors import SupergraphError
from gateway.supergraph import Supergraph
from gateway.supergraph.cache_tags import TagFault, read_tag_format

__all__ = ["CacheDirectives", "Hint"]

Coordinate = tuple[str, str]
"""Subgraph, and ``Type`` or ``Type.field``."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A ``@cacheControl``: what it says, and whether the lifetime is that of what is around."""

    says: Lifetime
    inherits: bool = False


class CacheDirectives:
    """The directives of a supergraph by subgraph and coordinate.

    Attributes:
        hints: of each type and field.
        tags: formats of the tags of each type and root field.

    Raises:
        SupergraphError: the format of a tag means nothing, which whoever composed the supergraph did not see.
    """

    def __init__(self, supergraph: Supergraph) -> None:
        self.hints: dict[Coordinate, Hint] = {}
        self.tags: dict[Coordinate, tuple[str, ...]] = {}
        graphs = _graph_names(supergraph)
        for type_ in supergraph.types.values():
            self._read(type_.name, type_.node.directives or (), graphs)
            for field in type_.fields.values():
                self._read(f"{type_.name}.{field.name}", field.node.directives or (), graphs)

    def _read(self, where: str, directives: Iterable[DirectiveNode], graphs: Mapping[str, str]) -> None:
        for name, subgraphs, arguments in _applied(directives):
            for subgraph in (graphs[graph] for graph in subgraphs if graph in graphs):
                if name == "cacheControl":
                    known, new = self.hints.get((subgraph, where)), _hint(arguments)
                    self.hints[subgraph, where] = new if known is None else _both(known, new)
                elif name == "cacheTag":
                    known_tags = self.tags.get((subgraph, where), ())
                    self.tags[subgraph, where] = (*known_tags, _checked(arguments.get("format"), subgraph, where))


def _applied(directives: Iterable[DirectiveNode]) -> Iterator[tuple[str, list[str], Mapping[str, Any]]]:
    for directive in directives:
        if directive.name.value == "join__directive":
            given = {item.name.value: value_from_ast_untyped(item.value) for item in directive.arguments or ()}
            name = str(given.get("name", "")).removeprefix("federation__")
            yield name, given.get("graphs") or [], given.get("args") or {}


def _checked(text: Any, subgraph: str, where: str) -> str:
    """Return the format of a tag."""
    root = "args" if "." in where else "key"
    try:
        for place in read_tag_format(text if isinstance(text, str) else "")[1]:
            if place.root != root:
                raise TagFault(f"{place} stands where values come from ${root}")  # noqa: TRY301 - told below
    except TagFault as fault:
        raise SupergraphError(f"@cacheTag of subgraph {subgraph} on {where}: {fault}") from fault
    return str(text)


def _graph_names(supergraph: Supergraph) -> dict[str, str]:
    """Return the names of subgraphs by the values of ``join__Graph``."""
    return {
        value.name.value: str(value_from_ast_untyped(argument.value))
        for node in supergraph.document.definitions
        if isinstance(node, EnumTypeDefinitionNode) and node.name.value == "join__Graph"
        for value in node.values or ()
        for directive in value.directives or ()
        for argument in directive.arguments or ()
        if argument.name.value == "name"
    }


def _hint(arguments: Mapping[str, Any]) -> Hint:
    max_age, scope = arguments.get("maxAge"), arguments.get("scope")
    age = float(max(max_age, 0)) if isinstance(max_age, int) else None
    known = {"PUBLIC": Scope.PUBLIC, "PRIVATE": Scope.PRIVATE}.get(str(scope))
    return Hint(Lifetime(age, known), arguments.get("inheritMaxAge") is True)


def _both(one: Hint, other: Hint) -> Hint:
    return Hint(one.says.narrowed(other.says), one.inherits and other.inherits)
