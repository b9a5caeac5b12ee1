"""Read what is to be found no more: one object or a list of them, by request or by event.

``{"kind": "subgraph", "subgraph": "catalog"}``, ``{"kind": "type", "type": "Product"}``,
``{"kind": "entity", "type": "Product", "key": {"upc": "1"}}``, ``{"kind": "tag", "tag": "product-1"}``,
``{"kind": "all"}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import orjson

from gateway.cache.selections import KeyTree, SelectionReader
from gateway.cache.store import EVERYTHING
from gateway.cache.tags import canonical_key, entity_words, subgraph_word, tag_words, type_word
from gateway.errors import ErrorCode, RequestError
from gateway.supergraph import Supergraph

__all__ = ["MAX_INVALIDATIONS", "InvalidationReader"]

MAX_INVALIDATIONS = 1_000
"""Objects in one list; more come in several."""

_MEMBERS = {"subgraph": {"subgraph"}, "type": {"type"}, "entity": {"type", "key"}, "tag": {"tag"}, "all": set()}


class InvalidationReader:
    """Reads invalidations against one supergraph, so that a name that means nothing is told and not ignored."""

    def __init__(self, supergraph: Supergraph, selections: SelectionReader) -> None:
        self._supergraph = supergraph
        self._selections = selections

    def read(self, text: bytes) -> tuple[str, ...]:
        """Return the tags to invalidate.

        Raises:
            RequestError: BAD_REQUEST naming the object and what is wrong with it.
        """
        try:
            given = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _bad(f"the invalidation is not valid JSON: {error}") from error
        items = given if isinstance(given, list) else [given]
        if not 0 < len(items) <= MAX_INVALIDATIONS:
            raise _bad(f"give 1 to {MAX_INVALIDATIONS} invalidations in a list, found {len(items)}")
        words = [word for number, item in enumerate(items) for word in self._words(item, f"invalidation {number}")]
        return tuple(dict.fromkeys(words))

    def _words(self, item: Any, where: str) -> Iterable[str]:
        kind = item.get("kind") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in _MEMBERS:
            raise _bad(f"{where} must be an object whose kind is one of {_listed(_MEMBERS)}")
        if set(item) != {"kind", *_MEMBERS[kind]}:
            wanted = _listed(sorted(_MEMBERS[kind])) or "nothing"
            raise _bad(f"{where} is of the kind {kind} and must have {wanted} besides kind")
        match kind:
            case "subgraph":
                return (subgraph_word(_known(item["subgraph"], self._supergraph.subgraphs, f"{where}: subgraph")),)
            case "type":
                return (type_word(_known(item["type"], self._supergraph.types, f"{where}: type")),)
            case "entity":
                return self._entity(item, where)
            case "tag":
                if not isinstance(item["tag"], str):
                    raise _bad(f"{where}: tag must be a string")
                return tag_words(item["tag"])
            case _:
                return (EVERYTHING,)

    def _entity(self, item: dict[str, Any], where: str) -> Iterable[str]:
        keys = self._selections.keys
        type_name = _known(item["type"], keys, f"{where}: type with a key")
        key = item["key"]
        if not any(_fits(key, tree) for tree in keys[type_name]):
            known = _listed(_text(tree) for tree in keys[type_name])
            raise _bad(f"{where}: key must have all fields of one key of {type_name} and no others: {known}")
        text = canonical_key(key)
        return [word for name in self._selections.names_of(type_name) for word in entity_words(name, text)]


def _known(name: Any, names: Collection[str], what: str) -> str:
    if not isinstance(name, str) or name not in names:
        raise _bad(f"{what} {name!r:.80} is not in the supergraph")
    return name


def _fits(key: Any, tree: KeyTree) -> bool:
    if not tree:
        return isinstance(key, str | int | float | bool)
    return isinstance(key, dict) and key.keys() == dict(tree).keys() and all(_fits(key[name], t) for name, t in tree)


def _text(tree: KeyTree) -> str:
    return " ".join(f"{name} {{ {_text(below)} }}" if below else name for name, below in tree)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _bad(message: str) -> RequestError:
    return RequestError(ErrorCode.BAD_REQUEST, message)
