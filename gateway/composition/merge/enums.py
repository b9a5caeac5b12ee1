"""Merge enums by their use: output enums unite, input enums intersect, an enum of both uses must match exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.applied import merge_applied
from gateway.composition.merge.merged import MergedSchema, MergedType, MergedValue
from gateway.composition.merge.wording import graph_name, merge_description, presence
from gateway.composition.subgraph_set import Definition, Subgraph
from gateway.supergraph import named_type

__all__ = ["EnumUse", "find_enum_uses", "merge_enum"]


@dataclass(slots=True)
class EnumUse:
    """Whether a type is used for input, for output, or neither."""

    is_input: bool = False
    is_output: bool = False


def find_enum_uses(subgraphs: Sequence[Subgraph]) -> dict[str, EnumUse]:
    """Return how each type name is used in all subgraphs."""
    uses: dict[str, EnumUse] = {}
    for subgraph in subgraphs:
        for definition in subgraph.definitions.values():
            for member in definition.members.values():
                if member.type is not None:
                    use = uses.setdefault(named_type(member.type), EnumUse())
                    use.is_input |= definition.kind == "input"
                    use.is_output |= definition.kind != "input"
                for argument in member.arguments.values():
                    if argument.type is not None:
                        uses.setdefault(named_type(argument.type), EnumUse()).is_input = True
        for directive in subgraph.directive_definitions.values():
            for argument_node in directive.arguments or ():
                uses.setdefault(named_type(argument_node.type), EnumUse()).is_input = True
    return uses


def merge_enum(
    merged: MergedType,
    found: list[tuple[Subgraph, Definition]],
    use: EnumUse,
    schema: MergedSchema,
    diagnostics: Diagnostics,
) -> None:
    """Merge the values of an enum."""
    for name in dict.fromkeys(name for _, item in found for name in item.members):
        here = [(subgraph, item.members[name]) for subgraph, item in found if name in item.members]
        coordinate = f"{merged.name}.{name}"
        is_hidden = any(member.has("inaccessible") for _, member in here)
        if len(here) < len(found):
            where = presence((subgraph for subgraph, _ in here), (subgraph for subgraph, _ in found))
            at = [(s.name, item.members[name].node if name in item.members else item.node) for s, item in found]
            if use.is_input and use.is_output and not is_hidden:
                diagnostics.error(
                    Fault.ENUM_VALUE_MISMATCH,
                    f"{coordinate} is {where}, so {merged.name} cannot be used for both input and output",
                    coordinate=coordinate,
                    at=at,
                )
            elif use.is_input and not is_hidden:
                diagnostics.hint(
                    Hint.INCONSISTENT_ENUM_VALUE_FOR_INPUT_ENUM,
                    f"{coordinate} is {where}, so it is left out",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            elif not is_hidden and use.is_output:
                diagnostics.hint(
                    Hint.INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM,
                    f"{coordinate} is {where}",
                    coordinate=coordinate,
                    at=at,
                )
        merged.values[name] = MergedValue(
            name,
            merge_description(coordinate, here, diagnostics),
            [f"@join__enumValue(graph: {graph_name(subgraph.name)})" for subgraph, _ in here],
            merge_applied(coordinate, [(s, m.directives) for s, m in here], schema, diagnostics),
        )
    at = [(subgraph.name, item.node) for subgraph, item in found]
    if not use.is_input and not use.is_output:
        diagnostics.hint(Hint.UNUSED_ENUM_TYPE, f"{merged.name} is defined but not used", coordinate=merged.name, at=at)
    if not merged.values:
        diagnostics.error(
            Fault.EMPTY_MERGED_ENUM_TYPE, f"{merged.name}: no value is in every subgraph", coordinate=merged.name, at=at
        )
