"""Merge the fields of objects and interfaces.

For each field: which subgraphs resolve it (after ``@override``), may they share it, do types and arguments fit, and
what must ``@join__field`` say about each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from graphql import print_ast
from graphql.language import NonNullTypeNode, TypeNode

from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.applied import merge_applied
from gateway.composition.merge.inputs import merge_default, merge_inputs
from gateway.composition.merge.merged import MergedField, MergedSchema, MergedType
from gateway.composition.merge.type_refs import widest
from gateway.composition.subgraph_set import Definition, Member, Subgraph

__all__ = ["FieldMerger"]

Found = list[tuple[Subgraph, Definition, Member]]
_LABEL = re.compile(r"^[a-zA-Z][a-zA-Z0-9_\-:./]*$|^percent\((100(\.0+)?|\d{1,2}(\.\d{1,8})?)\)$")


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

    def merge(self, merged: MergedType, found: list[tuple[Subgraph, Definition]]) -> None:
        """Fill fields and interfaces of ``merged``."""
        from gateway.composition.merge.merger import graph_name  # noqa: PLC0415 - the two need each other

        self._graph_name = graph_name
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

    # --- one field -------------------------------------------------------------------------------------------------

    def _merge_field(
        self, merged: MergedType, name: str, here: Found, found: list[tuple[Subgraph, Definition]]
    ) -> MergedField:
        from gateway.composition.merge.merger import merge_description  # noqa: PLC0415 - the two need each other

        coordinate = f"{merged.name}.{name}"
        overridden = self._find_overridden(coordinate, here)
        own = [(s, d, m) for s, d, m in here if not is_external(s, d, m)]
        resolving = [(s, d, m) for s, d, m in own if overridden.get(s.name) != "moved"]
        sharing = [(s, d, m) for s, d, m in own if s.name not in overridden and d.kind == "object"]
        if merged.kind == "object" or any(d.has("interfaceObject") for _, d, _ in here):
            self._check_sharing(coordinate, sharing)
        self._hint_absence(merged, coordinate, here, found)
        type_, fits = self._merge_types(coordinate, here, own)
        field = MergedField(
            name=name,
            type=type_,
            arguments={},
            description=merge_description(
                coordinate, [(s, m.description) for s, _, m in (own or here)], self._diagnostics
            ),
            applied=merge_applied(coordinate, [(s, m.directives) for s, _, m in here], self._schema, self._diagnostics),
        )
        self._merge_arguments(
            coordinate, field, [(s, m) for s, d, m in here if not is_external(s, d, m)] or [(s, m) for s, _, m in here]
        )
        self._check_external(coordinate, here, resolving)
        field.joins = self._joins(here, found, overridden, fits)
        return field

    def _merge_types(self, coordinate: str, here: Found, resolving: Found) -> tuple[TypeNode, bool]:
        """Return the merged type and whether all definitions have exactly this one."""
        candidates = [m.type for _, _, m in (resolving or here) if m.type is not None]
        merged = widest(candidates, self._is_subtype)
        at = [(s.name, m.node) for s, _, m in here]
        listed = ", ".join(f"{print_ast(m.type)} in {s.name}" for s, _, m in here if m.type is not None)
        if merged is None:
            self._diagnostics.error(
                "FIELD_TYPE_MISMATCH", f"{coordinate} has types that do not fit: {listed}", coordinate=coordinate, at=at
            )
            return candidates[0], True
        if len({print_ast(one) for one in candidates}) > 1:
            self._diagnostics.hint(
                "INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE",
                f"{coordinate} has different types: {listed}",
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
                "INVALID_FIELD_SHARING",
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
                "INVALID_FIELD_SHARING",
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
        if merged.kind == "interface" and not any(d.has("interfaceObject") for _, d in found):
            self._diagnostics.hint(
                "INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD",
                f"{coordinate} is not in every subgraph",
                coordinate=coordinate,
                at=at,
            )
        elif merged.kind == "object" and not any(d.has("key") for _, d in found):
            self._diagnostics.hint(
                "INCONSISTENT_OBJECT_VALUE_TYPE_FIELD",
                f"{coordinate} is not in every subgraph",
                coordinate=coordinate,
                at=at,
            )

    # --- arguments -------------------------------------------------------------------------------------------------

    def _merge_arguments(self, coordinate: str, field: MergedField, here: list[tuple[Subgraph, Member]]) -> None:
        names = dict.fromkeys(name for _, member in here for name in member.arguments)
        for name in names:
            found = [(s, m.arguments[name]) for s, m in here if name in m.arguments]
            own = f"{coordinate}({name}:)"
            if any(argument.has("fromContext") for _, argument in found):
                continue
            if len(found) < len(here):
                required = [
                    (s.name, a.node) for s, a in found if isinstance(a.type, NonNullTypeNode) and a.default is None
                ]
                if required:
                    self._diagnostics.error(
                        "REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH",
                        f"{own} is required in {required[0][0]} but not in every subgraph",
                        coordinate=own,
                        at=required,
                    )
                else:
                    self._diagnostics.hint(
                        "INCONSISTENT_ARGUMENT_PRESENCE",
                        f"{own} is not in every subgraph and left out",
                        coordinate=own,
                        at=[(s.name, a.node) for s, a in found],
                    )
                continue
            argument = merge_inputs(
                own,
                found,
                self._schema,
                self._diagnostics,
                "FIELD_ARGUMENT_TYPE_MISMATCH",
                "INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE",
            )
            argument.default = merge_default(own, found, self._diagnostics, "FIELD_ARGUMENT_DEFAULT_MISMATCH")
            field.arguments[name] = argument

    def _check_external(self, coordinate: str, here: Found, resolving: Found) -> None:
        """An external field must be what its owner defines, type and arguments included."""
        for subgraph, definition, member in here:
            if not is_external(subgraph, definition, member):
                continue
            at = [(subgraph.name, member.node)]
            if not resolving:
                if any(not is_external(s, d, m) for s, d, m in here):
                    continue
                self._diagnostics.error(
                    "EXTERNAL_MISSING_ON_BASE",
                    f"[{subgraph.name}] {coordinate} is @external, but no other subgraph defines it",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            owner = resolving[0]
            if not any(print_ast(m.type) == print_ast(member.type) for _, _, m in resolving if m.type and member.type):
                self._diagnostics.error(
                    "EXTERNAL_TYPE_MISMATCH",
                    f"[{subgraph.name}] {coordinate} is @external with another type than in {owner[0].name}",
                    coordinate=coordinate,
                    at=at,
                )
            for name, argument in owner[2].arguments.items():
                own = member.arguments.get(name)
                code = None
                if own is None:
                    code = "EXTERNAL_ARGUMENT_MISSING"
                elif own.type and argument.type and print_ast(own.type) != print_ast(argument.type):
                    code = "EXTERNAL_ARGUMENT_TYPE_MISMATCH"
                elif (own.default and print_ast(own.default)) != (argument.default and print_ast(argument.default)):
                    code = "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH"
                if code:
                    self._diagnostics.error(
                        code,
                        f"[{subgraph.name}] {coordinate}({name}:) differs from {owner[0].name}",
                        coordinate=f"{coordinate}({name}:)",
                        at=at,
                    )

    # --- override --------------------------------------------------------------------------------------------------

    def _find_overridden(self, coordinate: str, here: Found) -> dict[str, str]:
        """Return by subgraph name whether its field has ``moved`` away, or is ``moving`` under a label."""
        found: dict[str, str] = {}
        by_name = {s.name: (s, d, m) for s, d, m in here}
        for subgraph, definition, member in here:
            override = member.get("override")
            if override is None:
                continue
            source = str(override.arguments.get("from"))
            label = override.arguments.get("label") or None
            at = [(subgraph.name, override.node)]
            if label is not None and not _LABEL.match(str(label)):
                self._diagnostics.error(
                    "OVERRIDE_LABEL_INVALID",
                    f"[{subgraph.name}] {coordinate}: label {label!r} must be a name, or percent(x) with 0 to 100",
                    coordinate=coordinate,
                    at=at,
                )
            if source == subgraph.name:
                self._diagnostics.error(
                    "OVERRIDE_FROM_SELF_ERROR",
                    f"[{subgraph.name}] {coordinate} overrides itself",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            if definition.kind == "interface":
                self._diagnostics.error(
                    "OVERRIDE_ON_INTERFACE",
                    f"[{subgraph.name}] {coordinate}: @override cannot be used on an interface field",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            if source not in self._subgraphs:
                self._diagnostics.hint(
                    "FROM_SUBGRAPH_DOES_NOT_EXIST",
                    f"{coordinate}: subgraph {source} does not exist",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            if source not in by_name:
                self._diagnostics.hint(
                    "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED",
                    f"{coordinate}: {source} no longer defines the field",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            other_subgraph, other_definition, other = by_name[source]
            if other.get("override"):
                self._diagnostics.error(
                    "OVERRIDE_SOURCE_HAS_OVERRIDE",
                    f"{coordinate}: {source} overrides the field itself",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            collision = self._collision(subgraph, definition, member, other_definition, other)
            if collision:
                self._diagnostics.error(
                    "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE",
                    f"[{subgraph.name}] {coordinate}: @override cannot stand beside {collision}",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            if label is not None:
                found[source] = "moving"
                self._diagnostics.hint(
                    "OVERRIDE_MIGRATION_IN_PROGRESS",
                    f"{coordinate} is moving from {source} to {subgraph.name}",
                    coordinate=coordinate,
                    at=at,
                )
                continue
            found[source] = "moved"
            if is_external(other_subgraph, other_definition, other):
                self._diagnostics.hint(
                    "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED",
                    f"{coordinate}: {source} only refers to the field",
                    coordinate=coordinate,
                    at=at,
                )
            else:
                self._diagnostics.hint(
                    "OVERRIDDEN_FIELD_CAN_BE_REMOVED",
                    f"{coordinate}: {source} no longer resolves the field",
                    coordinate=coordinate,
                    at=[(source, other.node)],
                )
        return found

    def _collision(
        self, subgraph: Subgraph, definition: Definition, member: Member, source: Definition, other: Member
    ) -> str | None:
        if is_external(subgraph, definition, member):
            return "@external"
        for directive in ("requires", "provides"):
            if member.has(directive) or other.has(directive):
                return f"@{directive}"
        if source.has("interfaceObject") or definition.has("interfaceObject"):
            return "@interfaceObject"
        return None

    # --- join directives -------------------------------------------------------------------------------------------

    def _joins(
        self,
        here: Found,
        found: list[tuple[Subgraph, Definition]],
        overridden: dict[str, str],
        same_types: bool,
    ) -> list[str]:
        from gateway.composition.merge.merger import field_set_text  # noqa: PLC0415 - the two need each other

        plain = len(here) == len(found) and same_types and not overridden
        joins = []
        for subgraph, definition, member in here:
            parts = [f"graph: {self._graph_name(subgraph.name)}"]
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
            plain = plain and len(parts) == 1
            joins.append(f"@join__field({', '.join(parts)})")
        return [] if plain else joins


def is_external(subgraph: Subgraph, definition: Definition, member: Member) -> bool:
    """Tell whether a field only refers to another subgraph's.

    Federation 1 marks the key fields of extensions external although the subgraph returns them.
    """
    if not member.has("external") and "external" not in member.inherited:
        return False
    if subgraph.is_fed1 and definition.is_extension:
        return not _is_key_field(definition, member.name)
    if definition.is_extension and (member.from_extension or definition.has("extends")):
        return not _is_key_field(definition, member.name)
    return True


def is_shareable(subgraph: Subgraph, definition: Definition, member: Member) -> bool:
    """Tell whether a subgraph lets others resolve a field of an object too."""
    if subgraph.is_fed1 or member.has("shareable") or "shareable" in member.inherited:
        return True
    return (definition.name, member.name) in subgraph.key_fields


def is_referenced(subgraph: Subgraph, definition: Definition, member: Member) -> bool:
    """Tell whether a field that moved away is still named in a key, or in what a field of the subgraph requires."""
    if _is_key_field(definition, member.name):
        return True
    return any(
        member.name in re.findall(r"\w+", str(applied.arguments.get("fields", "")))
        for other in subgraph.definitions.values()
        for field in other.members.values()
        for applied in field.directives
        if applied.is_federation and applied.name in {"requires", "provides"}
    )


def _is_key_field(definition: Definition, name: str) -> bool:
    return any(name in _top_names(str(key.arguments.get("fields", ""))) for key in definition.all("key"))


def _top_names(fields: str) -> set[str]:
    names: set[str] = set()
    depth = 0
    for part in re.findall(r"[{}]|\w+", fields):
        depth += (part == "{") - (part == "}")
        if depth == 0 and part != "}":
            names.add(part)
    return names
