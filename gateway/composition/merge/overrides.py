"""``@override``: which subgraphs a field has moved away from, or is moving away from under a label."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphql.language import Node

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.merge.ownership import Found, is_external
from gateway.composition.subgraph_set import Applied, Definition, Member, Subgraph

__all__ = ["OverrideFinder"]

_LABEL = re.compile(r"^[a-zA-Z][a-zA-Z0-9_\-:./]*$|^percent\((100(\.0+)?|\d{1,2}(\.\d{1,8})?)\)$")


class OverrideFinder:
    """Reads the overrides of fields and reports those that cannot be."""

    def __init__(self, subgraphs: Mapping[str, Subgraph], diagnostics: Diagnostics) -> None:
        self._subgraphs = subgraphs
        self._diagnostics = diagnostics

    def find(self, coordinate: str, here: Found, abstracted: Found) -> dict[str, str]:
        """Return by subgraph name whether its field has ``moved`` away, or is ``moving`` under a label.

        ``abstracted`` are definitions by which interface objects give the field.
        """
        found: dict[str, str] = {}
        by_name = {subgraph.name: (subgraph, definition, member) for subgraph, definition, member in here}
        for subgraph, definition, member in here:
            override = member.get("override")
            if override is None or not self._can_stand(coordinate, subgraph, definition, override):
                continue
            source = str(override.arguments.get("from"))
            if source not in by_name:
                self._report_absent(coordinate, source, subgraph, override, abstracted)
                continue
            collision = self._find_collision(subgraph, definition, member, by_name[source])
            if collision is not None:
                code, message = collision
                self._error(code, coordinate, subgraph, override, message)
            elif override.arguments.get("label"):
                found[source] = "moving"
                message = f"{coordinate} is moving from {source} to {subgraph.name}"
                self._hint(Hint.OVERRIDE_MIGRATION_IN_PROGRESS, coordinate, message, (subgraph.name, override.node))
            else:
                found[source] = "moved"
                self._hint_leftover(coordinate, subgraph, override, by_name[source])
        return found

    def _can_stand(self, coordinate: str, subgraph: Subgraph, definition: Definition, override: Applied) -> bool:
        label = override.arguments.get("label") or None
        if label is not None and not _LABEL.match(str(label)):
            message = f"label {label!r} must be a name, or percent(x) with 0 to 100"
            self._error(Fault.OVERRIDE_LABEL_INVALID, coordinate, subgraph, override, message)
        if override.arguments.get("from") == subgraph.name:
            self._error(
                Fault.OVERRIDE_FROM_SELF_ERROR, coordinate, subgraph, override, "a field cannot override itself"
            )
            return False
        if definition.kind == "interface":
            message = "@override cannot be used on an interface field"
            self._error(Fault.OVERRIDE_ON_INTERFACE, coordinate, subgraph, override, message)
            return False
        return True

    def _report_absent(
        self, coordinate: str, source: str, subgraph: Subgraph, override: Applied, abstracted: Found
    ) -> None:
        at = (subgraph.name, override.node)
        if source not in self._subgraphs:
            self._hint(
                Hint.FROM_SUBGRAPH_DOES_NOT_EXIST,
                coordinate,
                f"{coordinate}: subgraph {source} does not exist; remove the @override",
                at,
            )
        elif any(other.name == source for other, _, _ in abstracted):
            message = f"@override cannot take a field from the @interfaceObject of {source}"
            self._error(Fault.OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE, coordinate, subgraph, override, message)
        else:
            message = f"{coordinate}: {source} no longer defines the field; remove the @override"
            self._hint(Hint.OVERRIDE_DIRECTIVE_CAN_BE_REMOVED, coordinate, message, at)

    def _find_collision(
        self, subgraph: Subgraph, definition: Definition, member: Member, source: tuple[Subgraph, Definition, Member]
    ) -> tuple[Fault, str] | None:
        other_subgraph, other_definition, other = source
        if other.get("override"):
            return Fault.OVERRIDE_SOURCE_HAS_OVERRIDE, f"{other_subgraph.name} overrides the field itself"
        code = Fault.OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE
        if is_external(subgraph, definition, member):
            return code, "@override cannot stand beside @external"
        for directive in ("requires", "provides"):
            if member.has(directive) or other.has(directive):
                return code, f"@override cannot stand beside @{directive}"
        if other_definition.has("interfaceObject") or definition.has("interfaceObject"):
            return code, "@override cannot be used with an @interfaceObject"
        return None

    def _hint_leftover(
        self, coordinate: str, subgraph: Subgraph, override: Applied, source: tuple[Subgraph, Definition, Member]
    ) -> None:
        name = source[0].name
        if is_external(*source):
            message = f"{coordinate}: {name} only refers to the field; remove the @override"
            self._hint(Hint.OVERRIDE_DIRECTIVE_CAN_BE_REMOVED, coordinate, message, (subgraph.name, override.node))
        else:
            message = f"{coordinate}: {name} no longer resolves the field; remove it there"
            self._hint(Hint.OVERRIDDEN_FIELD_CAN_BE_REMOVED, coordinate, message, (name, source[2].node))

    def _error(self, code: Fault, coordinate: str, subgraph: Subgraph, override: Applied, message: str) -> None:
        self._diagnostics.error(
            code,
            f"[{subgraph.name}] {coordinate}: {message}",
            coordinate=coordinate,
            at=[(subgraph.name, override.node)],
        )

    def _hint(self, code: Hint, coordinate: str, message: str, at: tuple[str, Node | None]) -> None:
        self._diagnostics.hint(code, message, coordinate=coordinate, at=[at])
