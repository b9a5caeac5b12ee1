"""Merge all subgraphs, type by type; every conflict is reported and the rest is still merged.

1. Decide the kind of each type name.
2. Merge each type by the rule of its kind: fields of objects and interfaces unite, inputs intersect, enums do either
   by their use, union members unite.
3. Merge descriptions and applied directives on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphql import print_ast
from graphql.language import NonNullTypeNode

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.applied import merge_applied
from gateway.composition.merge.attributed import attribute_directives
from gateway.composition.merge.contexts import set_contexts
from gateway.composition.merge.custom import check_import_names, compose_directives, hint_upgrades
from gateway.composition.merge.directives import merge_directives
from gateway.composition.merge.enums import EnumUse, find_enum_uses, merge_enum
from gateway.composition.merge.fields import FieldMerger
from gateway.composition.merge.inputs import merge_default, merge_inputs
from gateway.composition.merge.merged import MergedSchema, MergedType
from gateway.composition.merge.wording import field_set_text, graph_name, merge_description, presence
from gateway.composition.subgraph_set import Definition, Kind, Subgraph

__all__ = ["merge"]

_ROOTS = ("Query", "Mutation", "Subscription")
_FEDERATION_SCALARS = frozenset({"federation__Any"})


def merge(subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> MergedSchema:
    """Return the merged schema of subgraphs that are ordered by name."""
    return _Merger(subgraphs, diagnostics).run()


class _Merger:
    def __init__(self, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
        self.subgraphs = subgraphs
        self.diagnostics = diagnostics
        self.schema = MergedSchema({}, {})
        self.by_name: dict[str, list[tuple[Subgraph, Definition]]] = {}
        for subgraph in subgraphs:
            for definition in subgraph.definitions.values():
                self.by_name.setdefault(definition.name, []).append((subgraph, definition))

    def run(self) -> MergedSchema:
        uses = find_enum_uses(self.subgraphs)
        compose_directives(self.subgraphs, self.schema, self.diagnostics)
        check_import_names(self.subgraphs, self.diagnostics)
        hint_upgrades(self.subgraphs, self.diagnostics)
        kinds = {name: self._kind(name, found) for name, found in self.by_name.items()}
        if not any(definition.members for _, definition in self.by_name.get("Query", ())):
            names = ", ".join(subgraph.name for subgraph in self.subgraphs)
            self.diagnostics.error(
                Fault.NO_QUERIES,
                f"no subgraph has a query field; at least one root query field is needed ({names})",
                at=[(subgraph.name, None) for subgraph in self.subgraphs],
            )
        for name in sorted(self.by_name):
            kind = kinds[name]
            if kind is not None:
                self._merge_type(name, kind, self.by_name[name], uses.get(name, EnumUse()))
        merge_directives(self.subgraphs, self.schema, self.diagnostics)
        self.schema.description = next((one.description for one in self.subgraphs if one.description), None)
        return self.schema

    def _kind(self, name: str, found: list[tuple[Subgraph, Definition]]) -> Kind | None:
        kinds = {"interface" if item.has("interfaceObject") else item.kind for _, item in found}
        if len(kinds) == 1:
            return "interface" if any(item.has("interfaceObject") for _, item in found) else found[0][1].kind
        listed = ", ".join(f"{item.kind} in {subgraph.name}" for subgraph, item in found)
        self.diagnostics.error(
            Fault.TYPE_KIND_MISMATCH,
            f"{name} has different kinds: {listed}",
            coordinate=name,
            at=[(subgraph.name, item.node) for subgraph, item in found],
        )
        if found[0][1].kind == "input":
            self._report_empty_input(name, found)
        return None

    def _merge_type(self, name: str, kind: Kind, found: list[tuple[Subgraph, Definition]], use: EnumUse) -> None:
        if all(item.is_extension for _, item in found) and name not in _ROOTS:
            for subgraph, item in found:
                if not item.has("extends"):
                    self.diagnostics.error(
                        Fault.EXTENSION_WITH_NO_BASE,
                        f"[{subgraph.name}] {name} is extended, but no subgraph defines it",
                        coordinate=name,
                        at=[(subgraph.name, item.node)],
                    )
        merged = MergedType(name, kind, merge_description(name, found, self.diagnostics))
        merged.applied = merge_applied(
            name, [(subgraph, item.directives) for subgraph, item in found], self.schema, self.diagnostics
        )
        merged.joins = [text for subgraph, item in found for text in self._type_joins(subgraph, item)]
        contexts = [text for subgraph, item in found for text in set_contexts(subgraph, item)]
        if contexts:
            self.schema.features.add("context")
            merged.joins += contexts
        if kind in {"object", "interface"}:
            merged.joins += attribute_directives([(one, item.directives) for one, item in found], self.schema)
        if kind == "object":
            self._hint_entity(name, found)
        if kind in {"object", "interface"}:
            FieldMerger(self.subgraphs, self.by_name, self.schema, self.diagnostics).merge(merged, found)
        elif kind == "input":
            self._merge_input(merged, found)
        elif kind == "enum":
            merge_enum(merged, found, use, self.schema, self.diagnostics)
        elif kind == "union":
            self._merge_union(merged, found)
        self.schema.types[name] = merged

    def _type_joins(self, subgraph: Subgraph, item: Definition) -> Iterable[str]:
        graph = graph_name(subgraph.name)
        keys = list(item.all("key"))
        suffix = ", isInterfaceObject: true" if item.has("interfaceObject") else ""
        if not keys:
            yield f"@join__type(graph: {graph}{suffix})"
        extension = ", extension: true" if item.is_extension and keys and subgraph.is_fed1 else ""
        for key in keys:
            fields = field_set_text(key).replace("\\", "\\\\").replace('"', '\\"')
            resolvable = ", resolvable: false" if key.arguments.get("resolvable") is False else ""
            yield f'@join__type(graph: {graph}, key: "{fields}"{extension}{resolvable}{suffix})'

    def _hint_entity(self, name: str, found: list[tuple[Subgraph, Definition]]) -> None:
        without = [(subgraph.name, item.node) for subgraph, item in found if not item.has("key")]
        if without and len(without) < len(found):
            message = f"{name} has a key in some subgraphs only, so objects of the others cannot be completed"
            self.diagnostics.hint(Hint.INCONSISTENT_ENTITY, message, coordinate=name, at=without)

    def _merge_union(self, merged: MergedType, found: list[tuple[Subgraph, Definition]]) -> None:
        for subgraph, item in found:
            for member in item.types:
                merged.joins.append(f'@join__unionMember(graph: {graph_name(subgraph.name)}, member: "{member}")')
                if member not in merged.types:
                    merged.types.append(member)
        for member in merged.types:
            here = [subgraph for subgraph, item in found if member in item.types]
            if len(here) < len(found):
                self.diagnostics.hint(
                    Hint.INCONSISTENT_UNION_MEMBER,
                    f"{merged.name}: member {member} is {presence(here, (subgraph for subgraph, _ in found))}",
                    coordinate=merged.name,
                    at=[(subgraph.name, item.node) for subgraph, item in found if member not in item.types],
                )

    def _merge_input(self, merged: MergedType, found: list[tuple[Subgraph, Definition]]) -> None:
        names = list(dict.fromkeys(name for _, item in found for name in item.members))
        for name in names:
            here = [(subgraph, item.members[name]) for subgraph, item in found if name in item.members]
            coordinate = f"{merged.name}.{name}"
            if len(here) < len(found):
                where = presence((subgraph for subgraph, _ in here), (subgraph for subgraph, _ in found))
                required = [
                    (subgraph.name, member.node)
                    for subgraph, member in here
                    if isinstance(member.type, NonNullTypeNode) and member.default is None
                ]
                if required:
                    self.diagnostics.error(
                        Fault.REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH,
                        f"{coordinate} is {where}, so it cannot be required in {required[0][0]}",
                        coordinate=coordinate,
                        at=required,
                    )
                else:
                    self.diagnostics.hint(
                        Hint.INCONSISTENT_INPUT_OBJECT_FIELD,
                        f"{coordinate} is {where}, so it is left out",
                        coordinate=coordinate,
                        at=[(subgraph.name, member.node) for subgraph, member in here],
                    )
                continue
            field = merge_inputs(
                coordinate,
                here,
                self.schema,
                self.diagnostics,
                Fault.FIELD_TYPE_MISMATCH,
                Hint.INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE,
            )
            field.default = merge_default(coordinate, here, self.diagnostics, Fault.INPUT_FIELD_DEFAULT_MISMATCH)
            field.joins = [
                f'@join__field(graph: {graph_name(s.name)}, type: "{print_ast(m.type)}")'
                for s, m in here
                if m.type is not None and len({print_ast(other.type) for _, other in here if other.type}) > 1
            ]
            merged.inputs[name] = field
        if not merged.inputs:
            self._report_empty_input(merged.name, found)

    def _report_empty_input(self, name: str, found: list[tuple[Subgraph, Definition]]) -> None:
        self.diagnostics.error(
            Fault.EMPTY_MERGED_INPUT_TYPE,
            f"{name}: no input field is in every subgraph",
            coordinate=name,
            at=[(subgraph.name, item.node) for subgraph, item in found],
        )
