"""Directives that reach the supergraph with the subgraphs that said them, as ``@join__directive``.

``@cacheTag`` is one of federation 2.12. ``@cacheControl`` is a subgraph's own: servers for GraphQL have it under this
name and with these arguments, so that it needs no link. Neither is merged, since what one subgraph says of its answers
is not true of another's. Source: docs/adr/0009-cache-directives.md.
"""

from __future__ import annotations

from graphql import print_ast

from gateway.composition.merge.merged import MergedSchema
from gateway.composition.merge.wording import graph_name
from gateway.composition.subgraph_set import Applied, Subgraph

__all__ = ["attribute_directives"]

_CACHE_CONTROL = frozenset({"maxAge", "scope", "inheritMaxAge"})


def attribute_directives(found: list[tuple[Subgraph, list[Applied]]], schema: MergedSchema) -> list[str]:
    """Return the texts for one type or field; subgraphs that say the same stand together."""
    graphs: dict[tuple[str, str], dict[str, None]] = {}
    for subgraph, directives in found:
        for applied in directives:
            name = _name(applied)
            if name is None:
                continue
            if applied.is_federation:
                schema.features.add("cacheTag")
            arguments = ", ".join(print_ast(argument) for argument in applied.node.arguments or ())
            graphs.setdefault((name, arguments), {})[graph_name(subgraph.name)] = None
    return [
        f'@join__directive(graphs: [{", ".join(names)}], name: "{name}", args: {{{arguments}}})'
        for (name, arguments), names in graphs.items()
    ]


def _name(applied: Applied) -> str | None:
    if applied.is_federation:
        return "federation__cacheTag" if applied.name == "cacheTag" else None
    is_ours = applied.name == "cacheControl" and _CACHE_CONTROL.issuperset(applied.arguments)
    return "cacheControl" if is_ours else None
