"""Find the entities in an answer, compiled from what its fetch selects.

Only the parts of an answer in which an entity may be are walked. An entity is known by each of its keys whose fields
are all there; its tags are filled in from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.cache.directives import CacheDirectives
from gateway.cache.selections import KeyTree, Selected, SelectionReader
from gateway.cache.tags import About, canonical_key
from gateway.supergraph.cache_tags import read_tag_format

__all__ = ["Subject", "TagFormat", "compile_subject"]


class TagFormat:
    """The format of a ``@cacheTag``: text with places such as ``{$key.id}`` or ``{$args.id}``."""

    def __init__(self, text: str) -> None:
        self._texts, self._places = read_tag_format(text)

    def fill(self, root: str, values: Mapping[str, Any]) -> str | None:
        """Return the tag with the values below ``$key`` or ``$args`` filled in, None when one of them is not known."""
        found = [self._texts[0]]
        for place, after in zip(self._places, self._texts[1:], strict=True):
            value: Any = values if place.root == root else None
            for name in place.path:
                value = value.get(name) if isinstance(value, Mapping) else None
            if value is None or isinstance(value, Mapping | list):
                return None
            text = ("false", "true")[value] if isinstance(value, bool) else str(value)
            found += [text, after]
        return "".join(found)


@dataclass(frozen=True, slots=True)
class EntityType:
    """How objects of one type are known.

    Attributes:
        names: the type and the interfaces by which it is known too.
        keys: its keys.
        tags: formats of its tags.
    """

    names: tuple[str, ...]
    keys: tuple[KeyTree, ...]
    tags: tuple[TagFormat, ...]


@dataclass(frozen=True, slots=True)
class TypeSubject:
    """What to look for in objects of one type: field names by response key, and what is below."""

    entity: EntityType | None
    sources: Mapping[str, str]
    nested: Mapping[str, Mapping[str, Any]]
    below: tuple[tuple[str, Subject], ...]

    def note(self, value: Mapping[str, Any], known: Mapping[str, Any], about: About) -> None:
        """Add an object to what an answer is about; ``known`` are further fields of it by name."""
        if self.entity is not None:
            _note(self.entity, {**_by_field(value, self.sources, self.nested), **known}, about)
        for key, below in self.below:
            below.note(value.get(key), about)


@dataclass(frozen=True, slots=True)
class Subject:
    """What to look for in the objects at one place of an answer."""

    typename_key: str | None
    types: Mapping[str, TypeSubject]

    def note(self, value: Any, about: About) -> None:
        """Add the entities in ``value`` to what an answer is about."""
        if value.__class__ is list:
            for item in value:
                self.note(item, about)
            return
        if value.__class__ is not dict:
            return
        type_name = value.get(self.typename_key) if self.typename_key is not None else None
        if type_name is None and len(self.types) == 1:
            type_name = next(iter(self.types))
        subject = self.types.get(type_name) if type_name is not None else None
        if subject is None:
            for possible in self.types.values() if type_name is None else ():
                if possible.entity is not None:
                    _note(possible.entity, {}, about)
                for key, below in possible.below:
                    below.note(value.get(key), about)
            return
        subject.note(value, {}, about)

    def note_entity(self, representation: Mapping[str, Any], value: Any, about: About) -> None:
        """Add an entity that was asked for by its representation, and what is in it."""
        subject = self.types.get(representation["__typename"])
        if subject is not None:
            subject.note(value if isinstance(value, dict) else {}, representation, about)


def _note(entity: EntityType, known: Mapping[str, Any], about: About) -> None:
    keys: list[str] = []
    values: dict[str, Any] = {}
    for tree in entity.keys:
        found = _pick(known, tree)
        if found is not None:
            keys.append(canonical_key(found))
            values.update(found)
    about.add_entity(entity.names, keys, is_whole=len(keys) == len(entity.keys))
    for tag in entity.tags:
        text = tag.fill("key", values)
        if text is None:
            about.has_any_tag = True
        else:
            about.tags.add(text)


def _pick(known: Any, tree: KeyTree) -> dict[str, Any] | None:
    """Return the fields of a key, None when one of them is not known."""
    found: dict[str, Any] = {}
    for name, below in tree:
        value = known.get(name) if isinstance(known, Mapping) else None
        if value is None:
            return None
        if below and isinstance(value, list):
            return None  # no key is made of a list's objects
        found[name] = _pick(value, below) if below else value
        if found[name] is None:
            return None
    return found


def _by_field(item: Mapping[str, Any], sources: Mapping[str, str], nested: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields that keys are made of, by field name."""
    found: dict[str, Any] = {}
    for name, key in sources.items():
        value = item.get(key)
        if name in nested and isinstance(value, dict):
            inner_sources, inner_nested = nested[name]
            value = _by_field(value, inner_sources, inner_nested)
        found[name] = value
    return found


def compile_subject(
    selected: Selected, reader: SelectionReader, directives: CacheDirectives, subgraph: str
) -> Subject | None:
    """Return what to look for in the objects of a selection, None when no entity can be in them."""
    types: dict[str, TypeSubject] = {}
    is_wanted = False
    for type_name, leaves in selected.by_type.items():
        below: list[tuple[str, Subject]] = []
        for key, leaf in leaves.items():
            subject = None if leaf.below is None else compile_subject(leaf.below, reader, directives, subgraph)
            if subject is not None:
                below.append((key, subject))
        entity = _entity_type(type_name, reader, directives, subgraph)
        wanted = {name for tree in (() if entity is None else entity.keys) for name, _ in tree}
        sources, nested = _sources(leaves, wanted)
        types[type_name] = TypeSubject(entity, sources, nested, tuple(below))
        is_wanted = is_wanted or entity is not None or bool(below)
    return Subject(selected.typename_key, types) if is_wanted else None


def _entity_type(
    type_name: str, reader: SelectionReader, directives: CacheDirectives, subgraph: str
) -> EntityType | None:
    """Return how objects of a type are known, None when they are no entities."""
    keys = reader.keys.get(type_name)
    if keys is None:
        return None
    names = reader.names_of(type_name)
    formats = dict.fromkeys(text for name in names for text in directives.tags.get((subgraph, name), ()))
    return EntityType(names, keys, tuple(TagFormat(text) for text in formats))


def _sources(leaves: Mapping[str, Any], wanted: set[str] | None) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the response keys of fields by name, and the same for what is below them; fields with arguments not."""
    sources: dict[str, str] = {}
    nested: dict[str, Any] = {}
    for key, leaf in leaves.items():
        name = leaf.node.name.value
        if (wanted is not None and name not in wanted) or leaf.node.arguments or name in sources:
            continue
        sources[name] = key
        if leaf.below is not None:
            inner: dict[str, Any] = {}
            for fields in leaf.below.by_type.values():
                inner.update(fields)
            nested[name] = _sources(inner, None)
    return sources, nested
