"""Merge arguments and input fields: types narrow, defaults must agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import print_ast, value_from_ast_untyped
from graphql.language import NonNullTypeNode

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.applied import merge_applied
from gateway.composition.merge.merged import MergedInput, MergedSchema
from gateway.composition.merge.type_refs import narrowest
from gateway.composition.merge.wording import merge_description, presence
from gateway.composition.subgraph_set import Member, Subgraph

__all__ = ["merge_arguments", "merge_default", "merge_inputs"]


def merge_arguments(
    coordinate: str,
    here: Sequence[tuple[Subgraph, Mapping[str, Member]]],
    schema: MergedSchema,
    diagnostics: Diagnostics,
) -> dict[str, MergedInput]:
    """Return the arguments of a field or directive that every subgraph in ``here`` has."""
    merged: dict[str, MergedInput] = {}
    for name in dict.fromkeys(name for _, arguments in here for name in arguments):
        found = [(subgraph, arguments[name]) for subgraph, arguments in here if name in arguments]
        own = f"{coordinate}({name}:)"
        if len(found) < len(here):
            _report_absence(own, found, [subgraph for subgraph, _ in here], diagnostics)
            continue
        argument = merge_inputs(
            own,
            found,
            schema,
            diagnostics,
            Fault.FIELD_ARGUMENT_TYPE_MISMATCH,
            Hint.INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE,
        )
        argument.default = merge_default(own, found, diagnostics, Fault.FIELD_ARGUMENT_DEFAULT_MISMATCH)
        merged[name] = argument
    return merged


def _report_absence(
    coordinate: str, found: list[tuple[Subgraph, Member]], everywhere: list[Subgraph], diagnostics: Diagnostics
) -> None:
    where = presence((subgraph for subgraph, _ in found), everywhere)
    required = [(s.name, a.node) for s, a in found if isinstance(a.type, NonNullTypeNode) and a.default is None]
    if required:
        diagnostics.error(
            Fault.REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH,
            f"{coordinate} is {where}, so it cannot be required in {required[0][0]}",
            coordinate=coordinate,
            at=required,
        )
    else:
        diagnostics.hint(
            Hint.INCONSISTENT_ARGUMENT_PRESENCE,
            f"{coordinate} is {where}, so it is left out",
            coordinate=coordinate,
            at=[(s.name, a.node) for s, a in found],
        )


def merge_inputs(
    coordinate: str,
    found: list[tuple[Subgraph, Member]],
    schema: MergedSchema,
    diagnostics: Diagnostics,
    mismatch: Fault,
    hint: Hint,
) -> MergedInput:
    """Return the merged input without its default; ``mismatch`` and ``hint`` are the codes of its kind."""
    types = [member.type for _, member in found if member.type is not None]
    merged = narrowest(types)
    at = [(subgraph.name, member.node) for subgraph, member in found]
    listed = ", ".join(f"{print_ast(m.type)} in {s.name}" for s, m in found if m.type is not None)
    if merged is None:
        diagnostics.error(mismatch, f"{coordinate} has types that do not fit: {listed}", coordinate=coordinate, at=at)
    elif len({print_ast(one) for one in types}) > 1:
        diagnostics.hint(
            hint,
            f"{coordinate} has different types: {listed}; {print_ast(merged)} is kept",
            coordinate=coordinate,
            at=at,
        )
    return MergedInput(
        name=coordinate.rsplit(".", 1)[-1].rsplit("(", 1)[-1].rstrip(":)"),
        type=merged or types[0],
        default=None,
        description=merge_description(coordinate, found, diagnostics),
        applied=merge_applied(coordinate, [(s, m.directives) for s, m in found], schema, diagnostics),
    )


def merge_default(
    coordinate: str, found: list[tuple[Subgraph, Member]], diagnostics: Diagnostics, mismatch: Fault
) -> Any:
    """Return the default node that all subgraphs give, None when not all do."""
    given = [(subgraph, member) for subgraph, member in found if member.default is not None]
    if not given:
        return None
    values = [value_from_ast_untyped(member.default) for _, member in given]
    kinds = {repr(_ordered(value)) for value in values}
    at = [(subgraph.name, member.node) for subgraph, member in given]
    if len(kinds) > 1:
        listed = ", ".join(f"{print_ast(member.default)} in {subgraph.name}" for subgraph, member in given)
        diagnostics.error(mismatch, f"{coordinate} has different defaults: {listed}", coordinate=coordinate, at=at)
        return None
    if len(given) < len(found):
        diagnostics.hint(
            Hint.INCONSISTENT_DEFAULT_VALUE_PRESENCE,
            f"{coordinate} has a default in some subgraphs only; it is left out",
            coordinate=coordinate,
            at=at,
        )
        return None
    return given[0][1].default


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
