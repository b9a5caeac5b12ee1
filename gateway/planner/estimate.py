"""Look ahead: what does a selection still cost once its object is at hand in one subgraph?

Each pair of a selection set and a place is estimated once per plan. A place is a subgraph with the type under which it
holds the object, so the number of estimates is bounded by selections x subgraphs, whatever the number of choices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.planner.cost import Estimate, Slot
from gateway.supergraph import JoinField

__all__ = ["Estimator", "Holder", "Place", "leaves_given"]

_NOTHING = Estimate(0, 0, frozenset(), 0)


_NO_LEAVES: frozenset[str] = frozenset()


def leaves_given(provided: tuple[SelectedField, ...], type_name: str) -> frozenset[str]:
    """Return the names of the leaf fields in ``provided`` that concern a type."""
    if not provided:
        return _NO_LEAVES
    return frozenset(field.name for field in provided if not field.fields and type_name in field.on)


@dataclass(frozen=True, slots=True)
class Place:
    """A subgraph that holds objects under a type of its own; ``provided`` is resolvable there on top."""

    subgraph: str
    declared: str
    provided: tuple[SelectedField, ...] = ()

    def given(self, type_name: str) -> frozenset[str]:
        """Return the leaf fields of a type that are provided here."""
        return leaves_given(self.provided, type_name)


@dataclass(frozen=True, slots=True)
class Holder:
    """How a place resolves a field: by which definition, and what is provided below it."""

    join: JoinField
    owner: str
    provided: tuple[SelectedField, ...]


class Estimator:
    """Estimates of one plan."""

    def __init__(self, index: SubgraphIndex) -> None:
        self._index = index
        self._memo: dict[tuple[int, str, str, int], Estimate] = {}
        self._kept: list[object] = []
        self._sizes: dict[int, int] = {}

    def holder(self, place: Place, type_name: str, field: str) -> Holder | None:
        """Return how the place resolves a field without an entity fetch, None when it does not."""
        index = self._index
        for given in place.provided:
            if given.name == field and type_name in given.on:
                join = index.declared(place.subgraph, type_name, field) or JoinField(place.subgraph)
                return Holder(join, type_name, given.fields)
        owner = place.declared if index.is_interface_object(place.subgraph, place.declared) else type_name
        join_ = index.local(place.subgraph, owner, field)
        if join_ is not None:
            return (
                None if join_.requires or join_.contexts else Holder(join_, owner, self._provides(join_, owner, field))
            )
        declared = index.declared(place.subgraph, owner, field)
        if declared is not None and index.is_key_field(place.subgraph, owner, field):
            for text in index.key_texts(place.subgraph, owner):
                for given in index.field_set(text, owner):
                    if given.name == field:
                        return Holder(declared, owner, given.fields)
        return None

    def _provides(self, join: JoinField, owner: str, field: str) -> tuple[SelectedField, ...]:
        if not join.provides:
            return ()
        return self._index.field_set(join.provides, self._index.target(join, owner, field))

    def below(self, place: Place, type_name: str, field: SelectedField) -> Place | None:
        """Return the place of a composite field's objects when ``place`` resolves it, None when it does not."""
        holder = self.holder(place, type_name, field.name)
        if holder is None:
            return None
        return Place(place.subgraph, self._index.target(holder.join, holder.owner, field.name), holder.provided)

    def entering(self, subgraph: str, type_name: str, field: str) -> tuple[str, JoinField | None]:
        """Return by which type a subgraph that is entered resolves a field, and its definition; None when by a key."""
        index = self._index
        for owner in (type_name, *index.interfaces(type_name)):
            join = index.local(subgraph, owner, field)
            if join is not None and (owner == type_name or index.is_interface_object(subgraph, owner)):
                return owner, join
        return type_name, None

    def entered(self, subgraph: str, type_name: str, field: SelectedField) -> Place:
        """Return the place of a composite field's objects after an entity fetch of ``type_name`` to the subgraph."""
        index = self._index
        owner, join = self.entering(subgraph, type_name, field.name)
        if join is not None:
            return Place(subgraph, index.target(join, owner, field.name), self._provides(join, owner, field.name))
        declared = index.declared(subgraph, type_name, field.name) or JoinField(subgraph)
        return Place(subgraph, index.target(declared, type_name, field.name))

    def size(self, field: SelectedField) -> int:
        """Return how many fields a field selects, itself included."""
        found = self._sizes.get(id(field))
        if found is None:
            self._kept.append(field)
            found = self._sizes[id(field)] = 1 + sum(self.size(child) for child in field.fields)
        return found

    def estimate(self, fields: tuple[SelectedField, ...], place: Place) -> Estimate:
        """Return what resolving ``fields`` of objects at ``place`` costs."""
        if not fields:
            return _NOTHING
        memo = (id(fields), place.subgraph, place.declared, id(place.provided) if place.provided else 0)
        found = self._memo.get(memo)
        if found is None:
            self._kept.append((fields, place.provided))
            found = self._memo[memo] = self._estimate(fields, place)
        return found

    def _estimate(self, fields: tuple[SelectedField, ...], place: Place) -> Estimate:
        possible = self._index.possible(place.subgraph, place.declared)
        missing, depth, slots, entered = 0, 0, frozenset[Slot](), 0
        for field in fields:
            if field.name == "__typename":
                continue
            seen: set[object] = set()
            for type_name in sorted(field.on & possible):
                candidates = tuple(self._candidates(field, place, type_name))
                if candidates in seen:
                    continue
                seen.add(candidates)
                if not candidates:
                    missing += 1
                    continue
                best = min(candidates, key=lambda one: (one.missing, one.depth, len(one.slots - slots)))
                missing, depth, slots = missing + best.missing, max(depth, best.depth), slots | best.slots
                entered += best.entered
        return Estimate(missing, depth, slots, entered)

    def _candidates(self, field: SelectedField, place: Place, type_name: str) -> Iterable[Estimate]:
        below = self.below(place, type_name, field)
        if below is not None:
            yield self.estimate(field.fields, below)
        untyped = self._index.is_interface_object(place.subgraph, place.declared)
        for hop in self._index.options(
            type_name, field.name, place.subgraph, untyped=untyped, given=place.given(type_name)
        ):
            if hop.level == 0:
                continue
            inner = (
                self.estimate(field.fields, self.entered(hop.subgraph, type_name, field)) if field.fields else _NOTHING
            )
            own = frozenset({(0, hop.subgraph)})
            yield Estimate(inner.missing, inner.depth, inner.slots | own, inner.entered + self.size(field)).later(
                hop.level
            )
