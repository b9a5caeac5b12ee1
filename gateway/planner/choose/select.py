"""Add fields to the selections of steps, and note where the objects below them are at hand.

1. A field stands once for each step, key and set of types; asked for again, it only widens its guards.
2. It is written plainly where the selection's type has it, else under the object types that it is for.
3. The first time, a composite field opens a selection set of its own, and its objects get a presence there.
"""

from __future__ import annotations

from gateway.graph import Place, SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.planner.choose.placement import Placement
from gateway.planner.choose.positions import Positions
from gateway.planner.draft import Draft
from gateway.planner.estimate import Estimator
from gateway.planner.steps import Item, Level, Presence, Step

__all__ = ["Selections"]


class Selections:
    """The selections of the steps of a draft."""

    def __init__(self, index: SubgraphIndex, draft: Draft, estimator: Estimator, positions: Positions) -> None:
        self._index = index
        self._draft = draft
        self._estimator = estimator
        self._positions = positions

    def add(self, placement: Placement, step: Step, types: frozenset[str]) -> None:
        """Select a field in a step for objects of these types."""
        position, field, key = placement.position, placement.field, placement.key
        memo = (step.number, key, field.on & position.types)
        item = position.items.get(memo)
        if item is None:
            item = position.items[memo] = Item(key, field, placement.own)
            item.contexts = self._contexts(step, types, field)
        elif item.guards != placement.own:
            item.guards = ()
        for presence in self._draft.at_hand(position):
            covered = presence.types & types
            if presence.step is not step or not covered:
                continue
            if field.target is not None and item.level is None:
                self._open_level(placement, presence, item, min(covered))
            condition = None if self._is_plain(presence, covered, field) else covered
            presence.level.items.setdefault(condition, {})[key, id(item)] = item

    def _contexts(self, step: Step, types: frozenset[str], field: SelectedField) -> tuple[tuple[str, str], ...]:
        """Return the arguments of a field that are read from contexts, with the variables that carry them."""
        if not step.contexts:
            return ()
        _, join = self._estimator.places.entering(step.subgraph, min(types), field.name)
        arguments = join.contexts if join is not None else ()
        return tuple((one.name, step.contexts[one].variable) for one in arguments)

    def _is_plain(self, presence: Presence, covered: frozenset[str], field: SelectedField) -> bool:
        """Tell whether a field needs no type condition."""
        kind = self._index.supergraph.types[presence.declared].kind
        if kind == "object" or presence.untyped:
            return True
        if covered != presence.types or kind == "union":
            return False
        declared = self._index.declared(presence.subgraph, presence.declared, field.name)
        return declared is not None and not declared.external

    def _open_level(self, placement: Placement, presence: Presence, item: Item, type_name: str) -> None:
        """Give a composite field a selection set; the position below it has its objects there from now on."""
        position, field = placement.position, placement.field
        place = Place(presence.subgraph, presence.declared, presence.provided)
        below = self._estimator.places.below(place, type_name, field)
        if below is None:  # a field with requirements, satisfied by this step
            below = self._estimator.places.entered(presence.subgraph, type_name, field)
        item.level = Level(below.declared)
        child = self._positions.below(position, field, placement.key, (*position.guards, *(item.guards or ())))
        if child is None:
            return
        untyped = self._index.is_interface_object(below.subgraph, below.declared)
        abstract = self._index.supergraph.types[below.declared].kind != "object" or untyped or len(child.types) > 1
        item.level.typename = abstract
        types = self._index.possible(below.subgraph, below.declared) & child.types
        child.presences.append(Presence(presence.step, item.level, below.declared, types, untyped, below.provided))
