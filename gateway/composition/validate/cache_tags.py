"""Rules of ``@cacheTag``: it names what holds an entity, or the answer of a root field, by values that are known.

Its format is text with places: on a type ``{$key.…}``, which leads to a field of one of its keys, and on a root field
``{$args.…}``, which leads to one of its arguments. A place leads to one scalar or enum, not to a list or an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql.language import ConstDirectiveNode, FieldNode, SelectionSetNode, StringValueNode, TypeNode

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import Applied, Definition, Member, Subgraph
from gateway.composition.validate.field_sets import FieldSetFault, is_list, read_field_set
from gateway.supergraph import named_type
from gateway.supergraph.cache_tags import TagFault, TagPlace, read_tag_format

__all__ = ["check_cache_tags"]

_WITH_FIELDS = frozenset({"object", "interface", "input"})


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule that one ``@cacheTag`` breaks."""

    code: Fault
    message: str


def check_cache_tags(subgraph: Subgraph, diagnostics: Diagnostics, _used: set[tuple[str, str]]) -> None:
    """Tags stand on entities and root fields, and are filled in from what is known of these."""
    for coordinate, applied, found in _faults(subgraph):
        message = f"[{subgraph.name}] {coordinate}: {found.message}"
        diagnostics.error(found.code, message, coordinate=coordinate, at=[(subgraph.name, applied)])


def _faults(subgraph: Subgraph) -> Iterator[tuple[str, ConstDirectiveNode, _Found]]:
    roots = set(subgraph.roots.values())
    for definition in subgraph.definitions.values():
        for applied in definition.all("cacheTag"):
            found = _on_type(subgraph, definition, applied)
            if found is not None:
                yield definition.name, applied.node, found
        for member in definition.members.values():
            for applied in member.directives:
                if applied.is_federation and applied.name == "cacheTag":
                    fault = _on_field(subgraph, member, applied, is_root=definition.name in roots)
                    if fault is not None:
                        yield f"{definition.name}.{member.name}", applied.node, fault


def _on_type(subgraph: Subgraph, definition: Definition, applied: Applied) -> _Found | None:
    if not definition.has("key"):
        message = "@cacheTag stands on a type without @key, of which no object can be told from another; add a key"
        return _Found(Fault.CACHE_TAG_ENTITY_NOT_RESOLVABLE, message)
    places = _places(applied)
    if isinstance(places, _Found):
        return places
    keys = set(_key_paths(definition))
    for place in places:
        if place.root != "key":
            message = f"{place} stands in a tag of a type, which is filled in from $key"
            return _Found(Fault.CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ENTITY, message)
        fault = _leads_to_a_value(subgraph, definition.members, place)
        if fault is not None:
            return fault
        if place.path not in keys:
            message = f"{place} is in no @key of the type, so its value is not always known"
            return _Found(Fault.CACHE_TAG_INVALID_FORMAT_FIELD_SET_ON_ENTITY, message)
    return None


def _on_field(subgraph: Subgraph, member: Member, applied: Applied, *, is_root: bool) -> _Found | None:
    if not is_root:
        message = "@cacheTag stands on a field that is no root field; put it on the type that has the field"
        return _Found(Fault.CACHE_TAG_NOT_ON_ROOT_FIELD, message)
    places = _places(applied)
    if isinstance(places, _Found):
        return places
    for place in places:
        if place.root != "args":
            message = f"{place} stands in a tag of a root field, which is filled in from $args"
            return _Found(Fault.CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ROOT_FIELD, message)
        fault = _leads_to_a_value(subgraph, member.arguments, place)
        if fault is not None:
            return fault
    return None


def _places(applied: Applied) -> tuple[TagPlace, ...] | _Found:
    value = next((item.value for item in applied.node.arguments or () if item.name.value == "format"), None)
    try:
        if not isinstance(value, StringValueNode):
            raise TagFault("format must be a string")  # noqa: TRY301 - every fault is told in one place below
        return read_tag_format(value.value)[1]
    except TagFault as fault:
        return _Found(Fault.CACHE_TAG_INVALID_FORMAT, f"@cacheTag: {fault}")


def _leads_to_a_value(subgraph: Subgraph, members: dict[str, Member], place: TagPlace) -> _Found | None:
    type_: TypeNode | None = None
    target: Definition | None = None
    for depth, name in enumerate(place.path):
        if depth:
            members = target.members if target is not None and target.kind in _WITH_FIELDS else {}
        found = members.get(name)
        if found is None or found.type is None:
            known = ", ".join(members) or "none"
            message = f"@cacheTag: {place} leads nowhere: there is no {name}; known there: {known}"
            return _Found(Fault.CACHE_TAG_INVALID_FORMAT, message)
        type_ = found.type
        if is_list(type_):
            return _Found(Fault.CACHE_TAG_INVALID_FORMAT, f"@cacheTag: {place} leads to the list {name}")
        target = subgraph.definitions.get(named_type(type_))
    if target is not None and target.kind not in {"scalar", "enum"}:
        message = f"@cacheTag: {place} leads to the {target.kind} {target.name}; name one of its fields"
        return _Found(Fault.CACHE_TAG_INVALID_FORMAT, message)
    return None


def _key_paths(definition: Definition) -> Iterator[tuple[str, ...]]:
    for key in definition.all("key"):
        try:
            yield from _paths(read_field_set(key))
        except FieldSetFault:
            continue  # told as a fault of the key


def _paths(selection: SelectionSetNode, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for node in selection.selections:
        if isinstance(node, FieldNode):
            path = (*above, node.name.value)
            yield path
            if node.selection_set is not None:
                yield from _paths(node.selection_set, path)
