"""Which subgraph resolves what, and how many dependent fetches away it is.

Composition and planning ask three questions, each answered once and remembered:

1. ``local``: does a subgraph resolve ``Type.field`` where it holds the object?
2. ``reach``: from an object held by one subgraph, which others can be entered by keys, after how many dependent
   fetches? A breadth-first widening: a subgraph is reached one fetch after the fields of one of its keys are at hand in
   subgraphs reached before. At most one round per subgraph, so the cost is polynomial.
3. ``level``: after how many dependent fetches is ``Type.field`` at hand, its ``@requires`` included?

Interface objects count as holding every implementation of their interface, without knowing which one an object is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import parse
from graphql.language import OperationDefinitionNode

from gateway.operation.document import SelectedField
from gateway.operation.normalize import Normalizer
from gateway.supergraph import JoinField, Supergraph, named_type

__all__ = ["UNREACHABLE", "EntityKey", "Hop", "SubgraphIndex"]

UNREACHABLE = 1_000
"""A level beyond any real plan; sums of it stay comparable."""


@dataclass(frozen=True, slots=True)
class EntityKey:
    """A key by which a subgraph takes representations.

    Attributes:
        typename: ``__typename`` to send, the object type or an interface of it.
        fields: the key's fields, normalised on the object type.
    """

    typename: str
    fields: tuple[SelectedField, ...]


@dataclass(frozen=True, slots=True)
class Hop:
    """A way to a field: enter ``subgraph``, which is at hand ``level`` dependent fetches later."""

    subgraph: str
    level: int


class SubgraphIndex:
    """Answers of one supergraph under one set of active override labels. Not thread-safe."""

    def __init__(self, supergraph: Supergraph, labels: frozenset[str] = frozenset()) -> None:
        self.supergraph = supergraph
        self.labels = labels
        self.subgraph_names = tuple(supergraph.subgraphs)
        self._normalizer = Normalizer(supergraph)
        self._possible: dict[tuple[str, str], frozenset[str]] = {}
        self._field_sets: dict[tuple[str, str], tuple[SelectedField, ...]] = {}
        self._keys: dict[tuple[str, str], tuple[EntityKey, ...]] = {}
        self._reach: dict[tuple[str, str, bool, frozenset[str]], Mapping[str, int]] = {}
        self._options: dict[tuple[str, str, str, bool, frozenset[str]], tuple[Hop, ...]] = {}
        self._holding: dict[tuple[str, str], Mapping[str, tuple[JoinField, str, bool]]] = {}
        self.query_type = supergraph.root_types["query"]
        self._busy: set[object] = set()
        self._cut = 0
        self._interfaces = {
            type_.name: tuple(dict.fromkeys(name for names in type_.interfaces.values() for name in names))
            for type_ in supergraph.types.values()
        }

    # --- facts -----------------------------------------------------------------------------------------------------

    def interfaces(self, type_name: str) -> tuple[str, ...]:
        """Return the interfaces that an object type implements anywhere."""
        return self._interfaces.get(type_name, ())

    def is_interface_object(self, subgraph: str, type_name: str) -> bool:
        """Tell whether the subgraph defines the interface as an object type."""
        join = self.supergraph.types[type_name].joins.get(subgraph)
        return join is not None and join.is_interface_object

    def possible(self, subgraph: str, type_name: str) -> frozenset[str]:
        """Return the object types that a value of the composite type can have when the subgraph returns it."""
        found = self._possible.get((subgraph, type_name))
        if found is None:
            found = self._possible[subgraph, type_name] = self._find_possible(subgraph, type_name)
        return found

    def _find_possible(self, subgraph: str, type_name: str) -> frozenset[str]:
        type_ = self.supergraph.types[type_name]
        if type_.kind == "object":
            return frozenset({type_name})
        if self.is_interface_object(subgraph, type_name):
            return frozenset(self.supergraph.possible_types[type_name])
        if type_.kind == "union":
            return frozenset(type_.members.get(subgraph, ()))
        return frozenset(
            name
            for name in self.supergraph.possible_types[type_name]
            if name == type_name or type_name in self.supergraph.types[name].interfaces.get(subgraph, ())
        )

    def local(self, subgraph: str, type_name: str, field: str) -> JoinField | None:
        """Return the subgraph's definition of a field that it resolves, None when it does not."""
        join = self.declared(subgraph, type_name, field)
        if join is None or join.external or join.used_overridden:
            return None
        if join.override_label is not None and join.override_label not in self.labels:
            return None
        return None if self._is_moved_away(subgraph, type_name, field) else join

    def declared(self, subgraph: str, type_name: str, field: str) -> JoinField | None:
        """Return the subgraph's definition of a field, resolvable there or not."""
        type_ = self.supergraph.types.get(type_name)
        definition = type_.fields.get(field) if type_ else None
        return definition.joins.get(subgraph) if definition else None

    def _is_moved_away(self, subgraph: str, type_name: str, field: str) -> bool:
        joins = self.supergraph.types[type_name].fields[field].joins
        return any(
            other.override == subgraph and other.override_label in self.labels
            for other in joins.values()
            if other.override_label is not None
        )

    def target(self, join: JoinField, type_name: str, field: str) -> str:
        """Return the named type that a field has in the subgraph of ``join``."""
        return named_type(join.type or self.supergraph.types[type_name].fields[field].type)

    def field_set(self, text: str, type_name: str) -> tuple[SelectedField, ...]:
        """Return a ``@key``, ``@requires`` or ``@provides`` field set normalised on a type."""
        found = self._field_sets.get((text, type_name))
        if found is None:
            definition = parse(f"{{{text}}}").definitions[0]
            assert isinstance(definition, OperationDefinitionNode)  # noqa: S101 - the text above is one operation
            found = self._field_sets[text, type_name] = self._normalizer.normalize(definition.selection_set, type_name)
        return found

    def keys(self, subgraph: str, type_name: str) -> tuple[EntityKey, ...]:
        """Return the keys by which the subgraph takes representations of an object type, own ones first."""
        found = self._keys.get((subgraph, type_name))
        if found is None:
            found = self._keys[subgraph, type_name] = tuple(self._find_keys(subgraph, type_name))
        return found

    def _find_keys(self, subgraph: str, type_name: str) -> Iterable[EntityKey]:
        for name in (type_name, *self.interfaces(type_name)):
            join = self.supergraph.types[name].joins.get(subgraph)
            if join is None:
                continue
            if name != type_name and not join.is_interface_object and type_name not in self.possible(subgraph, name):
                continue
            for text, resolvable in join.keys:
                if resolvable:
                    yield EntityKey(name, self.field_set(text, type_name))

    def key_texts(self, subgraph: str, type_name: str) -> tuple[str, ...]:
        """Return the key field sets that a subgraph declares on a type, resolvable or not."""
        join = self.supergraph.types[type_name].joins.get(subgraph)
        return tuple(text for text, _ in join.keys) if join else ()

    # --- distances -------------------------------------------------------------------------------------------------

    def reach(
        self, type_name: str, subgraph: str, *, untyped: bool = False, given: frozenset[str] = frozenset()
    ) -> Mapping[str, int]:
        """Return how many dependent fetches lead from an object in ``subgraph`` to every other reachable subgraph.

        ``untyped`` says that the subgraph holds the object as an interface object, so its type is not known yet;
        ``given`` are leaf fields that it provides there on top of its own.
        """
        memo = (type_name, subgraph, untyped, given)
        found = self._reach.get(memo)
        if found is not None:
            return found
        if memo in self._busy:
            self._cut += 1
            return {subgraph: 0}
        self._busy.add(memo)
        before = self._cut
        found = self._widen(type_name, subgraph, given, untyped=untyped)
        self._busy.discard(memo)
        if self._cut == before or not self._busy:
            self._reach[memo] = found
        return found

    def tells_type(self, type_name: str, subgraph: str) -> bool:
        """Tell whether an object held as an interface object can be entered where its type is known."""
        return any(
            key.typename != type_name and not self.is_interface_object(other, key.typename)
            for other in self.reach(type_name, subgraph, untyped=True)
            for key in self.keys(other, type_name)
        )

    def _widen(self, type_name: str, subgraph: str, given: frozenset[str], *, untyped: bool) -> Mapping[str, int]:
        if type_name == self.query_type:
            others = (name for name in self.supergraph.types[type_name].joins if name != subgraph)
            return {subgraph: 0, **dict.fromkeys(others, 1)}
        levels = {subgraph: 0}
        typed_at = UNREACHABLE if untyped else 0
        for round_ in range(1, len(self.subgraph_names) + 1):
            at_hand = {name: level for name, level in levels.items() if level < round_}
            for other in self.subgraph_names:
                if other in levels:
                    continue
                for key in self.keys(other, type_name):
                    if key.typename == type_name and typed_at >= round_:
                        continue
                    if self._available(key.fields, type_name, at_hand, given) < round_:
                        levels[other] = round_
                        if key.typename != type_name and not self.is_interface_object(other, key.typename):
                            typed_at = min(typed_at, round_)
                        break
            if max(levels.values()) < round_:
                break
        return levels

    def _available(
        self, fields: Iterable[SelectedField], type_name: str, at_hand: Mapping[str, int], given: frozenset[str]
    ) -> int:
        worst = 0
        for field in fields:
            if type_name not in field.on or field.name == "__typename" or field.name in given:
                continue
            best = UNREACHABLE
            for subgraph, (join, owner, provided) in self._holders(type_name, field.name).items():
                level = at_hand.get(subgraph)
                if level is None or join.requires or join.contexts:
                    continue
                inner = 0
                if field.fields and not provided:
                    inner = self._available_below(field, self.target(join, owner, field.name), subgraph)
                best = min(best, level + inner)
            worst = max(worst, best)
        return worst

    def _available_below(self, field: SelectedField, declared: str, subgraph: str) -> int:
        worst = 0
        untyped = self.is_interface_object(subgraph, declared)
        for type_name in self.possible(subgraph, declared):
            for child in field.fields:
                if type_name in child.on:
                    worst = max(worst, self.selection_level(child, type_name, subgraph, untyped=untyped))
        return worst

    def _holders(self, type_name: str, field: str) -> Mapping[str, tuple[JoinField, str, bool]]:
        """Return, by subgraph, the definition by which it gives a field, its type, and whether as part of a key."""
        found = self._holding.get((type_name, field))
        if found is None:
            held = ((name, self._find_holder(name, type_name, field)) for name in self.subgraph_names)
            found = self._holding[type_name, field] = {name: one for name, one in held if one is not None}
        return found

    def _find_holder(self, subgraph: str, type_name: str, field: str) -> tuple[JoinField, str, bool] | None:
        join = self.local(subgraph, type_name, field)
        if join is not None:
            return join, type_name, False
        for interface in self.interfaces(type_name):
            if self.is_interface_object(subgraph, interface):
                join = self.local(subgraph, interface, field)
                if join is not None:
                    return join, interface, False
        declared = self.declared(subgraph, type_name, field)
        if declared is not None and self.is_key_field(subgraph, type_name, field):
            return declared, type_name, True
        return None

    def is_key_field(self, subgraph: str, type_name: str, field: str) -> bool:
        """Tell whether the subgraph returns a field that it marks external, as a key field of its extension."""
        join = self.supergraph.types[type_name].joins.get(subgraph)
        return (join is not None and join.is_extension) and any(
            selected.name == field
            for text in self.key_texts(subgraph, type_name)
            for selected in self.field_set(text, type_name)
        )

    def selection_level(self, field: SelectedField, type_name: str, subgraph: str, *, untyped: bool = False) -> int:
        """Return after how many dependent fetches a field with all it selects is at hand, UNREACHABLE when never."""
        if field.name == "__typename":
            return 0
        best = UNREACHABLE
        for hop in self.options(type_name, field.name, subgraph, untyped=untyped):
            holder = self._holders(type_name, field.name).get(hop.subgraph)
            inner = 0
            if holder is not None and field.fields and not holder[2]:
                inner = self._available_below(field, self.target(holder[0], holder[1], field.name), hop.subgraph)
            best = min(best, hop.level + inner)
        return best

    def level(self, type_name: str, field: str, subgraph: str, *, untyped: bool = False) -> int:
        """Return after how many dependent fetches a field (without what it selects) is at hand."""
        hops = self.options(type_name, field, subgraph, untyped=untyped)
        return min((hop.level for hop in hops), default=UNREACHABLE)

    def options(
        self,
        type_name: str,
        field: str,
        subgraph: str,
        *,
        untyped: bool = False,
        given: frozenset[str] = frozenset(),
    ) -> tuple[Hop, ...]:
        """Return every way to a field of an object in ``subgraph``, nearest first, then by subgraph name."""
        memo = (type_name, field, subgraph, untyped, given)
        found = self._options.get(memo)
        if found is not None:
            return found
        if ("options", memo) in self._busy:
            self._cut += 1
            return ()
        self._busy.add(("options", memo))
        before = self._cut
        hops = []
        holders = self._holders(type_name, field)
        for other, level in self.reach(type_name, subgraph, untyped=untyped, given=given).items():
            holder = holders.get(other)
            if holder is None:
                continue
            if holder[0].requires or holder[0].contexts:
                level = self._required_level(type_name, holder, subgraph, level, untyped=untyped)  # noqa: PLW2901
            if level < UNREACHABLE:
                hops.append(Hop(other, level))
        found = tuple(sorted(hops, key=lambda hop: (hop.level, hop.subgraph)))
        self._busy.discard(("options", memo))
        if self._cut == before or not self._busy:
            self._options[memo] = found
        return found

    def _required_level(
        self, type_name: str, holder: tuple[JoinField, str, bool], subgraph: str, entry: int, *, untyped: bool
    ) -> int:
        """Return the level of a field that requires others: one fetch after them, and never without an entity fetch.

        The same holds for a field that reads a context; where that is set is not known here, but it is on the way.
        """
        join = holder[0]
        needed = 0
        for required in self.field_set(join.requires, type_name) if join.requires else ():
            if type_name in required.on:
                needed = max(needed, self.selection_level(required, type_name, subgraph, untyped=untyped))
        if needed >= UNREACHABLE:
            return UNREACHABLE
        if entry == 0 and not self.keys(join.graph, type_name):
            return UNREACHABLE
        return max(entry, needed + 1, 1)
