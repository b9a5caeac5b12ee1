"""Ask for objects again through another subgraph, when no entity fetch leads from them to a field.

1. Subgraphs that resolve the field themselves are tried first, then those from which it can be reached.
2. The way to the objects is resolved in that subgraph: from the nearest objects above that it has or can be entered
   for, else from the root.

Not where a field is abstract: two subgraphs need not agree on which types it returns.
"""

from __future__ import annotations

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.plan.nodes import FieldStep
from gateway.planner.choose.placement import PlaceField, Placement
from gateway.planner.choose.ways import Ways
from gateway.planner.draft import Draft
from gateway.planner.rank import Way
from gateway.planner.steps import Position

__all__ = ["Detours"]


class Detours:
    """Places the way to objects again, by ``place``."""

    def __init__(self, index: SubgraphIndex, draft: Draft, ways: Ways, place: PlaceField) -> None:
        self._index = index
        self._draft = draft
        self._ways = ways
        self._place = place

    def find(self, position: Position, type_name: str, field: SelectedField) -> tuple[Way, ...]:
        """Return the ways to a field after its objects were asked for again.

        Raises:
            PlanningError: NO_PATH.
        """
        if len(position.types) > 1:
            raise self._no_path(position, type_name, field)
        names = self._index.subgraph_names
        levels = {name: self._index.level(type_name, field.name, name) for name in names}
        near = [name for name in names if levels[name] == 0]
        far = [name for name in names if 0 < levels[name] < len(names)]
        for subgraph in (*near, *far):
            if self._acquire(position, subgraph):
                ways = self._ways.find(position, type_name, field)
                if ways:
                    return ways
        raise self._no_path(position, type_name, field)

    def _acquire(self, position: Position, subgraph: str) -> bool:
        """Make the objects of a position at hand in a subgraph by resolving the way to them there."""
        if self._has(position, subgraph):
            return False
        parent, selected = position.parent, position.selected
        if parent is None or selected is None:
            return False
        if not any(self._index.local(subgraph, name, selected.name) for name in selected.on & parent.types):
            return False
        if parent.parent is not None and not self._has(parent, subgraph):
            reachable = any(
                subgraph in self._index.reach(name, one.subgraph, untyped=one.untyped)
                for one in self._draft.at_hand(parent)
                for name in one.types & selected.on
            )
            if not reachable and not self._acquire(parent, subgraph):
                return False
        key = next(step.key for step in reversed(position.path) if isinstance(step, FieldStep))
        return bool(self._place(Placement(parent, selected, key, position.guards), only=subgraph))

    def _has(self, position: Position, subgraph: str) -> bool:
        return any(presence.subgraph == subgraph for presence in self._draft.at_hand(position))

    def _no_path(self, position: Position, type_name: str, field: SelectedField) -> PlanningError:
        tried = ", ".join(presence.subgraph for presence in self._draft.at_hand(position)) or "no subgraph"
        return PlanningError(
            ErrorCode.NO_PATH,
            f"{type_name}.{field.name}: no subgraph that resolves it can be reached; objects are at hand in {tried}",
        )
