"""Decide how objects are represented to a subgraph, and place what that takes.

1. Of the keys by which the subgraph takes them, the one is chosen whose fields are at hand first.
2. Its fields are placed; never by the subgraph that is being entered, and if possible before its stage.
3. The fields of ``@requires`` join the key's.
"""

from __future__ import annotations

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.graph.index import EntityKey
from gateway.operation.document import SelectedField
from gateway.planner.choose.placement import Placement
from gateway.planner.choose.require import Requirements
from gateway.planner.choose.tell_types import TypeTeller
from gateway.planner.choose.ways import Ways
from gateway.planner.draft import Draft
from gateway.planner.rank import Way
from gateway.planner.steps import Position, Requirement, Step
from gateway.supergraph import JoinField

__all__ = ["Representations"]


class Representations:
    """Represents objects of a draft."""

    def __init__(
        self, index: SubgraphIndex, draft: Draft, ways: Ways, requirements: Requirements, types: TypeTeller
    ) -> None:
        self._index = index
        self._draft = draft
        self._ways = ways
        self._requirements = requirements
        self._types = types

    def represent(
        self, placement: Placement, type_name: str, way: Way, owner: str, join: JoinField | None
    ) -> tuple[set[Step], Requirement]:
        """Return the steps that give what represents objects of a type, and how it is copied.

        Args:
            placement: the field for which the subgraph is entered.
            type_name: the type of the objects.
            way: the subgraph and the stage in which it is entered.
            owner: the type by which the subgraph declares the field.
            join: its definition of the field, None when only a key has it.

        Raises:
            PlanningError: NO_PATH, REQUIREMENT_CYCLE.
        """
        position, subgraph = placement.position, way.subgraph
        key = self._choose_key(position, type_name, subgraph)
        with self._ways.while_entering(position, subgraph):
            providers, selections = self._requirements.require(
                position, key.fields, type_name, placement.guards, way.stage - 1
            )
        if join is not None and join.requires:
            needed, more = self._requirements.require_for(placement, owner, join.requires, type_name)
            providers |= needed
            selections.extend(item for item in more if item not in selections)
        return providers, Requirement(key.typename, selections)

    def _choose_key(self, position: Position, type_name: str, subgraph: str) -> EntityKey:
        """Return the key whose fields are at hand first; one that needs an unknown type only when there is no other."""
        typed = any(not presence.untyped and type_name in presence.types for presence in self._draft.at_hand(position))
        best: tuple[tuple[int, int, int], EntityKey] | None = None
        for number, key in enumerate(self._index.keys(subgraph, type_name)):
            level = max(
                (self._nearest(position, field, type_name) for field in key.fields if type_name in field.on), default=0
            )
            untyped_penalty = int(not typed and key.typename == type_name)
            rank = (untyped_penalty, level, number)
            if best is None or rank < best[0]:
                best = (rank, key)
        if best is None:
            raise PlanningError(
                ErrorCode.NO_PATH, f"{type_name}: subgraph {subgraph} has no key by which it can be entered"
            )
        if best[0][0]:
            self._types.tell(position, frozenset({type_name}))
        return best[1]

    def _nearest(self, position: Position, field: SelectedField, type_name: str) -> int:
        """Return the stage in which a field of a key is at hand first."""
        return min(
            (
                presence.step.stage
                + (
                    0
                    if not field.fields and self._ways.holds(position, presence, type_name, field)
                    else self._index.selection_level(field, type_name, presence.subgraph, untyped=presence.untyped)
                )
                for presence in self._draft.at_hand(position)
                if type_name in presence.types
            ),
            default=0,
        )
