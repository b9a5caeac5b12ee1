"""Merge the fields of objects and interfaces.

For each field: which subgraphs resolve it (after ``@override``), may they share it, do types and arguments fit, and
what must ``@join__field`` say about each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from graphql import print_ast
from graphql.language import Node, TypeNode

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.applied import merge_applied
from gateway.composition.merge.attributed import attribute_directives
from gateway.composition.merge.contexts import check_contextual, context_arguments
from gateway.composition.merge.inputs import merge_arguments
from gateway.composition.merge.merged import MergedField, MergedInput, MergedSchema, MergedType
from gateway.composition.merge.overrides import OverrideFinder
from gateway.composition.merge.ownership import Found, is_external, is_referenced, is_shareable
from gateway.composition.merge.type_refs import widest
from gateway.composition.merge.wording import field_set_text, graph_name, merge_description, presence
from gateway.composition.subgraph_set import Definition, Member, Subgraph

__all__ = ["FieldMerger"]


class FieldMerger:
    """Merges the fields of one object or interface type."""

    def __init__(
        self,
        subgraphs: Sequence[Subgraph],
        by_name: dict[str, list[tuple[Subgraph, Definition]]],
        schema: MergedSchema,
        diagnostics: Diagnostics,
    ) -> None:
        self._subgraphs = {subgraph.name: subgraph for subgraph in subgraphs}
        self._by_name = by_name
        self._schema = schema
        self._diagnostics = diagnostics
        self._overrides = OverrideFinder(self._subgraphs, diagnostics)

    def merge(self, merged: MergedType, found: list[tuple[Subgraph, Definition]]) -> None:
        """Fill fields and interfaces of ``merged``."""
        for subgraph, item in found:
            for interface in item.interfaces:
                merged.joins.append(f'@join__implements(graph: {graph_name(subgraph.name)}, interface: "{interface}")')
                if interface not in merged.interfaces:
                    merged.interfaces.append(interface)
        for name in dict.fromkeys(name for _, item in found for name in item.members):
            here = [(subgraph, item, item.members[name]) for subgraph, item in found if name in item.members]
            merged.fields[name] = self._merge_field(merged, name, here, found)
        self._add_interface_object_fields(merged)

    def _add_interface_object_fields(self, merged: MergedType) -> None:
        """Give implementations the fields that interface objects add; no subgraph resolves them on the type itself."""
        if merged.kind != "object":
            return
        for interface in merged.interfaces:
            owners = [(s, d) for s, d in self._by_name.get(interface, ()) if d.has("interfaceObject")]
            for subgraph, item in owners:
                for name, member in item.members.items():
                    if name in merged.fields or member.type is None or member.has("external"):
                        continue
                    merged.fields[name] = self._merge_field(
                        MergedType(merged.name, "object", None), name, [(subgraph, item, member)], [(subgraph, item)]
                    )
                    merged.fields[name].joins = ["@join__field"]

    def _find_abstracted(self, merged: MergedType, name: str) -> Found:
        """Return the definitions by which interface objects give a field to an object type of other subgraphs."""
        if merged.kind != "object":
            return []
        defining = {subgraph.name for subgraph, _ in self._by_name.get(merged.name, ())}
        return [
            (subgraph, item, item.members[name])
            for interface in merged.interfaces
            for subgraph, item in self._by_name.get(interface, ())
            if item.has("interfaceObject")
            and subgraph.name not in defining
            and name in item.members
            and not is_external(subgraph, item, item.members[name])
        ]

    # --- one field -------------------------------------------------------------------------------------------------

    def _merge_field(
        self, merged: MergedType, name: str, here: Found, found: list[tuple[Subgraph, Definition]]
    ) -> MergedField:

        coordinate = f"{merged.name}.{name}"
        abstracted = self._find_abstracted(merged, name)
        overridden = self._overrides.find(coordinate, here, abstracted)
        own = [(s, d, m) for s, d, m in here if not is_external(s, d, m)]
        resolving = [(s, d, m) for s, d, m in own if overridden.get(s.name) != "moved"]
        sharing = [(s, d, m) for s, d, m in own if s.name not in overridden and d.kind == "object"] + abstracted
        if merged.kind == "object" or any(d.has("interfaceObject") for _, d, _ in here):
            self._check_sharing(coordinate, sharing)
        self._hint_absence(merged, coordinate, here, found)
        type_, fits = self._merge_types(coordinate, here, own)
        field = MergedField(
            name=name,
            type=type_,
            arguments={},
            description=merge_description(coordinate, [(s, m) for s, _, m in (own or here)], self._diagnostics),
            applied=merge_applied(coordinate, [(s, m.directives) for s, _, m in here], self._schema, self._diagnostics),
        )
        field.arguments = self._merge_arguments(coordinate, here)
        self._check_external(coordinate, here, resolving)
        field.joins = self._joins(here, found, overridden, fits)
        field.joins += attribute_directives([(s, m.directives) for s, _, m in here], self._schema)
        return field

    def _merge_types(self, coordinate: str, here: Found, resolving: Found) -> tuple[TypeNode, bool]:
        """Return the merged type and whether all definitions have exactly this one."""
        candidates = [m.type for _, _, m in (resolving or here) if m.type is not None]
        merged = widest(candidates, self._is_subtype)
        at = [(s.name, m.node) for s, _, m in here]
        listed = ", ".join(f"{print_ast(m.type)} in {s.name}" for s, _, m in here if m.type is not None)
        if merged is None:
            self._diagnostics.error(
                Fault.FIELD_TYPE_MISMATCH,
                f"{coordinate} has types that do not fit: {listed}",
                coordinate=coordinate,
                at=at,
            )
            return candidates[0], True
        if len({print_ast(one) for one in candidates}) > 1:
            self._diagnostics.hint(
                Hint.INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE,
                f"{coordinate} has different types: {listed}; {print_ast(merged)} is kept",
                coordinate=coordinate,
                at=at,
            )
        same = len({print_ast(m.type) for _, _, m in here if m.type is not None}) == 1
        return merged, same

    def _is_subtype(self, sub: str, super_: str) -> bool:
        return any(super_ in item.interfaces for _, item in self._by_name.get(sub, ())) or any(
            sub in item.types for _, item in self._by_name.get(super_, ())
        )

    def _check_sharing(self, coordinate: str, resolving: Found) -> None:
        if len(resolving) < 2:
            return
        if coordinate.startswith("Subscription."):
            names = ", ".join(s.name for s, _, _ in resolving)
            self._diagnostics.error(
                Fault.INVALID_FIELD_SHARING,
                f"{coordinate} is resolved by {names}; a subscription field cannot be shared",
                coordinate=coordinate,
                at=[(s.name, m.node) for s, _, m in resolving],
            )
            return
        alone = [(s, d, m) for s, d, m in resolving if not is_shareable(s, d, m)]
        if alone:
            names = ", ".join(s.name for s, _, _ in resolving)
            blamed = ", ".join(s.name for s, _, _ in alone)
            self._diagnostics.error(
                Fault.INVALID_FIELD_SHARING,
                f"{coordinate} is resolved by {names} but not marked @shareable in {blamed}; mark it there, "
                "or let one subgraph alone resolve it",
                coordinate=coordinate,
                at=[(s.name, m.node) for s, _, m in alone],
            )

    def _hint_absence(
        self, merged: MergedType, coordinate: str, here: Found, found: list[tuple[Subgraph, Definition]]
    ) -> None:
        if len(here) == len(found) or merged.name in {"Query", "Mutation", "Subscription"}:
            return
        at = [(s.name, m.node) for s, _, m in here]
        message = f"{coordinate} is {presence((s for s, _, _ in here), (s for s, _ in found))}"
        if merged.kind == "interface" and not any(d.has("interfaceObject") or d.has("key") for _, d in found):
            self._diagnostics.hint(
                Hint.INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD,
                message,
                coordinate=coordinate,
                at=at,
            )
        elif merged.kind == "object" and not any(d.has("key") for _, d in found):
            self._diagnostics.hint(
                Hint.INCONSISTENT_OBJECT_VALUE_TYPE_FIELD,
                message,
                coordinate=coordinate,
                at=at,
            )

    # --- arguments -------------------------------------------------------------------------------------------------

    def _merge_arguments(self, coordinate: str, here: Found) -> dict[str, MergedInput]:
        """Merge what clients give; an argument that one subgraph reads from a context is none of them."""
        own = [(s, d, m) for s, d, m in here if not is_external(s, d, m)] or here
        contextual = {
            name for _, _, member in own for name, argument in member.arguments.items() if argument.has("fromContext")
        }
        for name in sorted(contextual):
            check_contextual(f"{coordinate}({name}:)", name, own, self._diagnostics)
        plain = [
            (s, {name: argument for name, argument in m.arguments.items() if name not in contextual}) for s, _, m in own
        ]
        return merge_arguments(coordinate, plain, self._schema, self._diagnostics)

    def _check_external(self, coordinate: str, here: Found, resolving: Found) -> None:
        """An external field must be what its owner defines, type and arguments included."""
        for subgraph, definition, member in here:
            if not is_external(subgraph, definition, member):
                continue
            at: list[tuple[str, Node | None]] = [(subgraph.name, member.node)]
            if not resolving:
                if any(not is_external(s, d, m) for s, d, m in here):
                    continue
                self._diagnostics.error(
                    Fault.EXTERNAL_MISSING_ON_BASE,
                    f"[{subgraph.name}] {coordinate} is @external, but no other subgraph defines it",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            owner = resolving[0]
            at.append((owner[0].name, owner[2].node))
            if not any(print_ast(m.type) == print_ast(member.type) for _, _, m in resolving if m.type and member.type):
                types = f"{_typed(member)}, but {_typed(owner[2])} in {owner[0].name}"
                self._diagnostics.error(
                    Fault.EXTERNAL_TYPE_MISMATCH,
                    f"[{subgraph.name}] {coordinate} is @external as {types}",
                    coordinate=coordinate,
                    at=at,
                )
            for name, argument in owner[2].arguments.items():
                fault = _argument_fault(argument, member.arguments.get(name), owner[0].name)
                if fault is not None:
                    code, message = fault
                    own = f"{coordinate}({name}:)"
                    self._diagnostics.error(code, f"[{subgraph.name}] {own} {message}", coordinate=own, at=at)

    # --- join directives -------------------------------------------------------------------------------------------

    def _joins(
        self,
        here: Found,
        found: list[tuple[Subgraph, Definition]],
        overridden: dict[str, str],
        same_types: bool,
    ) -> list[str]:

        plain = len(here) == len(found) and same_types and not overridden
        joins = []
        for subgraph, definition, member in here:
            parts = [f"graph: {graph_name(subgraph.name)}"]
            contexts = context_arguments(subgraph, member)
            moved = overridden.get(subgraph.name) == "moved"
            if moved:
                if not is_referenced(subgraph, definition, member):
                    plain = False
                    continue
                parts.append("usedOverridden: true")
            for directive in ("requires", "provides"):
                applied = member.get(directive)
                if applied is not None:
                    parts.append(f"{directive}: {json.dumps(field_set_text(applied))}")
            if not same_types and member.type is not None:
                parts.append(f'type: "{print_ast(member.type)}"')
            if is_external(subgraph, definition, member):
                parts.append("external: true")
            override = member.get("override")
            if override is not None and override.arguments.get("from") in self._subgraphs:
                parts.append(f"override: {json.dumps(override.arguments['from'])}")
                if override.arguments.get("label"):
                    parts.append(f"overrideLabel: {json.dumps(override.arguments['label'])}")
            if contexts:
                self._schema.features.add("context")
                parts.append(f"contextArguments: [{', '.join(contexts)}]")
            plain = plain and len(parts) == 1
            joins.append(f"@join__field({', '.join(parts)})")
        return [] if plain else joins


def _typed(member: Member) -> str:
    return "" if member.type is None else print_ast(member.type)


def _argument_fault(wanted: Member, found: Member | None, owner: str) -> tuple[Fault, str] | None:
    """Return how the argument of an external field differs from its owner's."""
    if found is None:
        return Fault.EXTERNAL_ARGUMENT_MISSING, f"is in {owner}, but the @external field does not have it"
    if _typed(found) != _typed(wanted):
        message = f"of the @external field is {_typed(found)}, but {_typed(wanted)} in {owner}"
        return Fault.EXTERNAL_ARGUMENT_TYPE_MISMATCH, message
    own, other = (print_ast(one.default) if one.default else "no default" for one in (found, wanted))
    if own != other:
        return Fault.EXTERNAL_ARGUMENT_DEFAULT_MISMATCH, f"of the @external field has {own}, but {owner} has {other}"
    return None
