"""Who answers for a field: which definitions only refer to it, which may share it, which are still needed."""

from __future__ import annotations

import re

from gateway.composition.subgraph_set import Definition, Member, Subgraph

__all__ = ["Found", "is_external", "is_referenced", "is_shareable"]

Found = list[tuple[Subgraph, Definition, Member]]
"""The definitions of one field."""


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
