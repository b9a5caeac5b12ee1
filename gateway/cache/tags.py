"""What an answer is about, as tags by which it can be invalidated.

- ``subgraph`` and ``type``: where it comes from, and every type that it may hold.
- ``entity``: type and key of each entity in it. When there are too many of them, or the keys of one are not all known,
  the answer is about *some* entity of the type, and goes when any of the type does.
- ``tag``: what ``@cacheTag`` says. When that cannot be told, the answer goes with any tag.

So an invalidation may hide more than it must, and never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

__all__ = ["About", "canonical_key", "entity_words", "own_word", "subgraph_word", "tag_words", "type_word"]

MAX_TAGS = 64
"""Entities and tags that an entry is about one by one; each costs a look at a mark when the entry is read."""

MAX_TOUCHED = 500
"""Entities of one mutation that are invalidated one by one; beyond these their types are."""


def canonical_key(key: Mapping[str, Any]) -> str:
    """Return the values of a key as text, equal for equal keys; numbers equal strings, as ``ID`` has it."""
    return orjson.dumps(_plain(key), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items() if name != "__typename"}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _word(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def subgraph_word(subgraph: str) -> str:
    """Return the tag of all that a subgraph answered."""
    return _word("subgraph", subgraph)


def type_word(type_name: str) -> str:
    """Return the tag of all that may hold an object of a type."""
    return _word("type", type_name)


def own_word(who: str) -> str:
    """Return the barrier of those who want to read what they wrote."""
    return _word("own", who)


def entity_words(type_name: str, key: str) -> tuple[str, str]:
    """Return what to invalidate for an entity: its own tag, and that of answers about some entity of its type."""
    return _word("entity", type_name, key), _word("some", type_name)


def tag_words(tag: str) -> tuple[str, str]:
    """Return what to invalidate for a tag: itself, and answers of which the tags are not known."""
    return _word("tag", tag), _word("any tag")


class About:
    """Collects what an answer is about."""

    __slots__ = ("entities", "has_any_tag", "some", "static", "tags", "unknown")

    def __init__(self, static: Iterable[str] = ()) -> None:
        self.static = set(static)
        self.entities: set[tuple[str, str]] = set()
        self.some: set[str] = set()
        self.unknown: set[str] = set()
        self.tags: set[str] = set()
        self.has_any_tag = False

    def add_entity(self, types: Iterable[str], keys: Iterable[str], *, is_whole: bool) -> None:
        """Add an entity with the keys that are known of it; ``is_whole`` when it has no other ones.

        ``types`` are its own and the interfaces by which it is known too.
        """
        pairs = [(type_name, key) for type_name in types for key in keys]
        self.entities.update(pairs)
        if not is_whole:
            self.some.update(types)
        if not pairs:
            self.unknown.update(types)

    def add(self, other: About) -> None:
        """Add what another answer is about."""
        self.static |= other.static
        self.entities |= other.entities
        self.some |= other.some
        self.unknown |= other.unknown
        self.tags |= other.tags
        self.has_any_tag = self.has_any_tag or other.has_any_tag

    def words(self) -> tuple[str, ...]:
        """Return the tags of an entry about this."""
        found = set(self.static)
        some, any_tag = set(self.some), self.has_any_tag
        if len(self.entities) + len(self.tags) > MAX_TAGS:
            some |= {type_name for type_name, _ in self.entities}
            any_tag = any_tag or bool(self.tags)
        else:
            found |= {entity_words(*entity)[0] for entity in self.entities}
            found |= {tag_words(tag)[0] for tag in self.tags}
        found |= {_word("some", type_name) for type_name in some}
        if any_tag:
            found.add(tag_words("")[1])
        return tuple(sorted(found))

    def touched(self) -> tuple[str, ...]:
        """Return what to invalidate when all of these entities have changed."""
        types = set(self.unknown)
        found: set[str] = set()
        if len(self.entities) > MAX_TOUCHED:
            types |= {type_name for type_name, _ in self.entities}
        else:
            found = {word for entity in self.entities for word in entity_words(*entity)}
        return tuple(sorted(found | {type_word(type_name) for type_name in types}))
