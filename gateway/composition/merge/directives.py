"""Merge executable directives: those that every subgraph defines, with what all definitions share."""

from __future__ import annotations

from collections.abc import Sequence

from graphql.language import DirectiveDefinitionNode

from gateway.composition.codes import Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.inputs import merge_arguments
from gateway.composition.merge.merged import MergedDirective, MergedSchema
from gateway.composition.merge.wording import merge_description, presence
from gateway.composition.subgraph_set import Subgraph

__all__ = ["merge_directives"]

_EXECUTABLE = frozenset(
    {
        "QUERY",
        "MUTATION",
        "SUBSCRIPTION",
        "FIELD",
        "FRAGMENT_DEFINITION",
        "FRAGMENT_SPREAD",
        "INLINE_FRAGMENT",
        "VARIABLE_DEFINITION",
    }
)
_GIVEN = frozenset({"defer", "stream", "skip", "include"})


def merge_directives(subgraphs: Sequence[Subgraph], schema: MergedSchema, diagnostics: Diagnostics) -> None:
    """Add the executable directives that all subgraphs define to the schema."""
    for name in dict.fromkeys(name for subgraph in subgraphs for name in subgraph.directive_definitions):
        found = [(s, s.directive_definitions[name]) for s in subgraphs if name in s.directive_definitions]
        places = [{item.value for item in node.locations} & _EXECUTABLE for _, node in found]
        if name in _GIVEN or not any(places):
            continue
        if len(found) < len(subgraphs):
            message = f"@{name} is {presence((s for s, _ in found), subgraphs)}, so it is left out"
            _hint(Hint.INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE, message, name, found, diagnostics)
            continue
        common = set.intersection(*places)
        if not common:
            message = f"@{name} has no location in common, so it is left out"
            _hint(Hint.NO_EXECUTABLE_DIRECTIVE_INTERSECTION, message, name, found, diagnostics)
            continue
        if any(one != common for one in places):
            message = f"@{name} has different locations; those in common are kept"
            _hint(Hint.INCONSISTENT_EXECUTABLE_DIRECTIVE_LOCATIONS, message, name, found, diagnostics)
        if len({node.repeatable for _, node in found}) > 1:
            message = f"@{name} is not repeatable in every subgraph, so it is not in the supergraph"
            _hint(Hint.INCONSISTENT_EXECUTABLE_DIRECTIVE_REPEATABLE, message, name, found, diagnostics)
        members = [(subgraph, subgraph.directive_members[name]) for subgraph, _ in found]
        schema.directives[name] = MergedDirective(
            name=name,
            arguments=merge_arguments(f"@{name}", [(s, m.arguments) for s, m in members], schema, diagnostics),
            description=merge_description(f"@{name}", members, diagnostics),
            is_repeatable=all(node.repeatable for _, node in found),
            locations=tuple(item.value for item in found[0][1].locations if item.value in common),
        )


def _hint(
    code: Hint,
    message: str,
    name: str,
    found: Sequence[tuple[Subgraph, DirectiveDefinitionNode]],
    diagnostics: Diagnostics,
) -> None:
    at = [(subgraph.name, node) for subgraph, node in found]
    diagnostics.hint(code, message, coordinate=f"@{name}", at=at)
