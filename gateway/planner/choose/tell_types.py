"""Find out the types of objects that are at hand as interface objects only.

1. Where some step holds the objects with their types, those are shown.
2. Else the nearest subgraph that defines the interface itself is entered by the interface's key, and asked for
   ``__typename``.

Invariant: what a key that is entered to tell types needs may not need those types in turn; that ends planning.
"""

from __future__ import annotations

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.graph.index import UNREACHABLE, EntityKey
from gateway.operation.document import SelectedField
from gateway.planner.choose.require import Requirements
from gateway.planner.choose.typenames import Typenames
from gateway.planner.draft import Draft
from gateway.planner.steps import Position, Requirement

__all__ = ["TypeTeller"]


class TypeTeller:
    """Adds what tells types to a draft."""

    def __init__(self, index: SubgraphIndex, draft: Draft, typenames: Typenames, requirements: Requirements) -> None:
        self._index = index
        self._draft = draft
        self._typenames = typenames
        self._requirements = requirements
        self._asked: list[Position] = []
        """Positions that a subgraph is being entered for; what its key needs cannot need the types in turn."""

    def answer(self, position: Position, field: SelectedField) -> None:
        """Fetch the ``__typename`` that a client asks for; at the root there is nothing to fetch."""
        if position.parent is None:
            return
        self.tell(position, position.types & field.on)
        for presence in self._draft.at_hand(position):
            if not presence.untyped and presence.types & field.on:
                presence.level.typename = True
                presence.step.use(position.guards)

    def tell(self, position: Position, types: frozenset[str]) -> None:
        """Make sure that the concrete types of objects are told when they are only at hand as interface objects.

        Raises:
            PlanningError: NO_PATH.
        """
        untyped = [one for one in self._draft.at_hand(position) if one.untyped]
        if not untyped:
            return
        known = {name for one in self._draft.at_hand(position) if not one.untyped for name in one.types}
        if not any(name in one.types for name in types - known for one in untyped):
            self._typenames.show(position, types, types)
            return
        interface = untyped[0].declared
        everything = frozenset(self._index.supergraph.possible_types[interface]) & position.types
        teller = self._nearest_teller(position, interface, everything)
        if teller is None or position in self._asked:
            raise PlanningError(
                ErrorCode.NO_PATH,
                f"{interface}: no subgraph tells the types of its objects by a key that is at hand without them; "
                "tried all subgraphs",
            )
        self._asked.append(position)
        try:
            self._enter(position, *teller, everything)
        finally:
            self._asked.pop()

    def _nearest_teller(
        self, position: Position, interface: str, everything: frozenset[str]
    ) -> tuple[str, EntityKey, list[str]] | None:
        """Return the subgraph that is reached first of those that tell types, with its key and the types it knows.

        Those that are reached later may need a key that is at hand only where the types are known.
        """
        best: tuple[int, tuple[str, EntityKey, list[str]]] | None = None
        for subgraph in self._index.subgraph_names:
            key = self._interface_key(subgraph, interface)
            possible = sorted(everything & self._index.possible(subgraph, interface)) if key is not None else []
            if key is None or not possible:
                continue
            level = min(
                self._index.reach(possible[0], one.subgraph, untyped=one.untyped).get(subgraph, UNREACHABLE)
                for one in self._draft.at_hand(position)
            )
            if best is None or level < best[0]:
                best = (level, (subgraph, key, possible))
        return None if best is None else best[1]

    def _interface_key(self, subgraph: str, interface: str) -> EntityKey | None:
        """Return a key by which a subgraph that knows the implementations takes objects of an interface."""
        join = self._index.supergraph.types[interface].joins.get(subgraph)
        if join is None or join.is_interface_object:
            return None
        text = next((text for text, resolvable in join.keys if resolvable), None)
        return None if text is None else EntityKey(interface, self._index.field_set(text, interface))

    def _enter(
        self, position: Position, subgraph: str, key: EntityKey, possible: list[str], everything: frozenset[str]
    ) -> None:
        providers, selections = self._requirements.require(position, key.fields, possible[0], position.guards)
        providers |= self._typenames.show(position, everything) | self._typenames.show_above(position)
        requirements = {name: Requirement(key.typename, list(selections)) for name in possible}
        step = self._draft.enter(position, subgraph, providers, requirements)
        step.branches[key.typename].typename = True
        step.use(position.guards)
