"""What ``@cacheControl`` says of the answer of a fetch.

As the directive has it: a field's own hint goes before that of the type which it returns. A root field or a field that
returns objects and has no hint takes the default, which is the subgraph's ``ttl`` or nothing at all; one with
``inheritMaxAge``, and every other leaf, lasts as long as what is around it. The answer lasts as long as its shortest
part, and is private when any part is. It is public only when every root field or entity says so.

A fetch without a single hint is not judged: then headers and settings decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.cache.directives import CacheDirectives, Hint
from gateway.cache.lifetime import UNSAID, Lifetime, Scope
from gateway.cache.selections import ENTITIES, Selected, SelectedLeaf, named
from gateway.supergraph import Supergraph

__all__ = ["read_hints"]


def read_hints(
    selected: Selected,
    root_type: str,
    subgraph: str,
    directives: CacheDirectives,
    supergraph: Supergraph,
    ttl: float | None,
) -> Lifetime:
    """Return what the hints of a subgraph say of a selection on the root type; ``ttl`` is its default lifetime."""
    if not directives.hints:
        return UNSAID
    reading = _Reading(subgraph, directives.hints, supergraph, Lifetime(ttl or 0.0))
    reading.root(selected.by_type.get(root_type, {}))
    return reading.result()


class _Reading:
    def __init__(
        self, subgraph: str, hints: Mapping[tuple[str, str], Hint], supergraph: Supergraph, default: Lifetime
    ) -> None:
        self._subgraph = subgraph
        self._hints = hints
        self._supergraph = supergraph
        self._default = default
        self._found: Lifetime = UNSAID
        self._tops: list[Scope | None] = []
        self._has_hints = False

    def result(self) -> Lifetime:
        if not self._has_hints:
            return UNSAID
        scope = self._found.scope
        if scope is not Scope.PRIVATE:
            scope = Scope.PUBLIC if self._tops and set(self._tops) == {Scope.PUBLIC} else None
        return Lifetime(self._found.max_age_s, scope)

    def root(self, leaves: Mapping[str, SelectedLeaf]) -> None:
        for leaf in leaves.values():
            if leaf.node.name.value != ENTITIES:
                self._tops.append(self._field(leaf, leaf.coordinate, is_root=True))
            elif leaf.below is not None:
                for type_name in leaf.below.by_type:
                    hint = self._hints.get((self._subgraph, type_name))
                    self._apply(hint, takes_default=True)
                    self._tops.append(None if hint is None else hint.says.scope)
                self._below(leaf.below)

    def _below(self, selected: Selected) -> None:
        for type_name, leaves in selected.by_type.items():
            for leaf in leaves.values():
                own = f"{type_name}.{leaf.node.name.value}"
                self._field(leaf, own if (self._subgraph, own) in self._hints else leaf.coordinate, is_root=False)

    def _field(self, leaf: SelectedLeaf, coordinate: str, *, is_root: bool) -> Scope | None:
        own = self._hints.get((self._subgraph, coordinate))
        returned = None if leaf.below is None else self._hints.get((self._subgraph, self._returned(coordinate)))
        hint = _first(own, returned)
        self._apply(hint, takes_default=is_root or leaf.below is not None)
        if leaf.below is not None:
            self._below(leaf.below)
        return None if hint is None else hint.says.scope

    def _returned(self, coordinate: str) -> str:
        type_name, _, field_name = coordinate.partition(".")
        type_ = self._supergraph.types.get(type_name)
        field = None if type_ is None else type_.fields.get(field_name)
        return "" if field is None else named(field.type)

    def _apply(self, hint: Hint | None, *, takes_default: bool) -> None:
        if hint is not None:
            self._has_hints = True
            self._found = self._found.narrowed(hint.says)
        if takes_default and (hint is None or (hint.says.max_age_s is None and not hint.inherits)):
            self._found = self._found.narrowed(self._default)


def _first(own: Hint | None, returned: Hint | None) -> Hint | None:
    if own is None or returned is None:
        return own or returned
    inherits = own.inherits or (own.says.max_age_s is None and returned.inherits)
    return Hint(own.says.or_else(returned.says) if not own.inherits else own.says, inherits)
