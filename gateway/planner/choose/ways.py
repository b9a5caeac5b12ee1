"""Find the ways to a field: objects at hand in a subgraph that resolves it, and subgraphs that keys lead to.

1. At the root, every subgraph that resolves the field is a way.
2. Elsewhere each presence of the objects counts: as it is when it holds the field, and by each subgraph that its keys
   lead to, in the earliest stage that any presence allows.
3. Within a deferred fragment, a step outside it is not added to: its subgraph is entered again by a key, and used as it
   is only where there is no other way.

Cost: presences of the position times subgraphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.graph import Place, SubgraphIndex, leaves_given
from gateway.operation.document import SelectedField
from gateway.planner.draft import Draft
from gateway.planner.estimate import Estimator
from gateway.planner.rank import Way
from gateway.planner.steps import Position, Presence

__all__ = ["Ways"]


class Ways:
    """Finds ways in a draft."""

    def __init__(self, index: SubgraphIndex, draft: Draft, estimator: Estimator) -> None:
        self._index = index
        self._draft = draft
        self._estimator = estimator
        self._entering: list[tuple[int, str]] = []

    @contextmanager
    def while_entering(self, position: Position, subgraph: str) -> Iterator[None]:
        """Leave out ways by a subgraph that is being entered: what its key needs cannot come from itself."""
        self._entering.append((id(position), subgraph))
        try:
            yield
        finally:
            self._entering.pop()

    def find(self, position: Position, type_name: str, field: SelectedField) -> tuple[Way, ...]:
        """Return the ways to a field of objects of a type; none when neither objects at hand nor keys lead to it."""
        if position.parent is None:
            return tuple(self._root_way(name) for name in self._resolving(type_name, field))
        ways: dict[tuple[str, int, int], Way] = {}
        earlier: list[Way] = []
        for presence in self._draft.at_hand(position):
            if type_name not in presence.types:
                continue
            step = presence.step
            if self.holds(position, presence, type_name, field):
                way = Way(presence.subgraph, step.stage, step)
                if step.part == self._draft.part or self._entering:
                    ways[presence.subgraph, step.stage, step.number] = way
                elif self._index.keys(presence.subgraph, type_name):
                    ways[presence.subgraph, -1, -1] = Way(presence.subgraph, step.stage + 1, None)
                else:
                    earlier.append(way)
            given = leaves_given(presence.provided, type_name)
            options = self._index.options(
                type_name, field.name, presence.subgraph, untyped=presence.untyped, given=given
            )
            for hop in options:
                if hop.level == 0 or (id(position), hop.subgraph) in self._entering:
                    continue
                stage = step.stage + hop.level
                known = ways.get((hop.subgraph, -1, -1))
                if known is None or stage < known.stage:
                    ways[hop.subgraph, -1, -1] = Way(hop.subgraph, stage, None)
        return tuple(ways.values()) or tuple(earlier)

    def _resolving(self, type_name: str, field: SelectedField) -> Iterator[str]:
        return (name for name in self._index.subgraph_names if self._index.local(name, type_name, field.name))

    def _root_way(self, subgraph: str) -> Way:
        step = self._draft.root_step(subgraph)
        return Way(subgraph, step.stage if step else self._draft.first_stage, step)

    def holds(self, position: Position, presence: Presence, type_name: str, field: SelectedField) -> bool:
        """Tell whether the objects of a presence can be asked for a field as they are."""
        place = Place(presence.subgraph, presence.declared, presence.provided)
        if self._estimator.places.holder(place, type_name, field.name) is not None:
            return True
        if presence.step.position is not position:  # what is required was sent for the objects entered, not below them
            return False
        owner = presence.declared if presence.untyped else type_name
        return (owner, field.name, type_name) in presence.step.satisfied

    def by_interface_object(self, position: Position, on: frozenset[str], field: SelectedField) -> str | None:
        """Return a subgraph that resolves a field for objects of unknown type, None when types are known or needed."""
        if on != position.types or not all(presence.untyped for presence in self._draft.at_hand(position)):
            return None
        subgraphs: set[str] | None = None
        for type_name in on:
            found = {
                way.subgraph
                for way in self.find(position, type_name, field)
                if any(
                    self._index.is_interface_object(way.subgraph, interface)
                    and self._index.local(way.subgraph, interface, field.name)
                    for interface in self._index.interfaces(type_name)
                )
            }
            subgraphs = found if subgraphs is None else subgraphs & found
        return min(subgraphs) if subgraphs else None
