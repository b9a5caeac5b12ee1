"""Look ahead: what does a selection still cost once its object is at hand in one subgraph?

Each pair of a selection set and a place is estimated once per plan. A place is a subgraph with the type under which it
holds the object, so the number of estimates is bounded by selections x subgraphs, whatever the number of choices.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.graph import Place, Places, SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.planner.cost import Estimate, Slot

__all__ = ["Estimator"]

_NOTHING = Estimate(0, 0, frozenset(), 0)


class Estimator:
    """Estimates of one plan."""

    def __init__(self, index: SubgraphIndex) -> None:
        self._index = index
        self.places = Places(index)
        self._memo: dict[tuple[int, str, str, int], Estimate] = {}
        self._kept: list[object] = []
        self._sizes: dict[int, int] = {}

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
        below = self.places.below(place, type_name, field)
        if below is not None:
            yield self.estimate(field.fields, below)
        untyped = self._index.is_interface_object(place.subgraph, place.declared)
        for hop in self._index.options(
            type_name, field.name, place.subgraph, untyped=untyped, given=place.given(type_name)
        ):
            if hop.level == 0:
                continue
            inner = (
                self.estimate(field.fields, self.places.entered(hop.subgraph, type_name, field))
                if field.fields
                else _NOTHING
            )
            own = frozenset({(0, hop.subgraph)})
            yield Estimate(inner.missing, inner.depth, inner.slots | own, inner.entered + self.size(field)).later(
                hop.level
            )
