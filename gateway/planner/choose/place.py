"""Place one field: choose the best way for each type, and select the field in a step there.

1. The ways are found for every type that the field is selected on; types with the same ways are one group.
2. Each group takes its cheapest way. When that is to enter a subgraph, the step is made first.
3. The field joins the selection of the step.

Placing a field can place others: those of keys and requirements, and the way to the objects on a detour. Each counts
against one budget, so that planning ends whatever happens.
"""

from __future__ import annotations

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.planner.choose.contexts import Contexts
from gateway.planner.choose.detour import Detours
from gateway.planner.choose.enter import Entries
from gateway.planner.choose.placement import Placement
from gateway.planner.choose.positions import Positions
from gateway.planner.choose.represent import Representations
from gateway.planner.choose.require import Requirements
from gateway.planner.choose.select import Selections
from gateway.planner.choose.tell_types import TypeTeller
from gateway.planner.choose.typenames import Typenames
from gateway.planner.choose.ways import Ways
from gateway.planner.draft import Draft
from gateway.planner.estimate import Estimator
from gateway.planner.rank import Ranking, Way
from gateway.planner.steps import Position, Step

__all__ = ["Placer"]

MAX_PLACEMENTS = 200_000
"""Most field placements of one plan; far above any real operation, so that a defect ends as an error and not a hang."""


class Placer:
    """Places fields in a draft."""

    def __init__(self, index: SubgraphIndex, draft: Draft, estimator: Estimator) -> None:
        self._draft = draft
        self._budget = MAX_PLACEMENTS
        self._positions = Positions(index)
        self._ways = Ways(index, draft, estimator)
        self._ranking = Ranking(draft, estimator)
        self._selections = Selections(index, draft, estimator, self._positions)
        typenames = Typenames(index, draft)
        requirements = Requirements(index, self._positions, typenames, self.place)
        self._types = TypeTeller(index, draft, typenames, requirements)
        representations = Representations(index, draft, self._ways, requirements, self._types)
        contexts = Contexts(index, typenames, requirements)
        self._entries = Entries(index, draft, estimator, typenames, representations, contexts)
        self._detours = Detours(index, draft, self._ways, self.place)

    def needs_request(self, position: Position, field: SelectedField) -> bool:
        """Tell whether a field has several ways and the best of them needs a request that does not exist yet."""
        if field.name == "__typename":
            return False
        for type_name in sorted(field.on & position.types):
            ways = self._ways.find(position, type_name, field)
            if len({way.subgraph for way in ways}) < 2:
                continue
            if self._ranking.best(self._draft.at_hand(position), type_name, field, ways).new_slots:
                return True
        return False

    def place_client_field(self, position: Position, field: SelectedField) -> Position | None:
        """Place a field that a client asks for, and return the position of the objects below it, None for leaves."""
        if field.name == "__typename":
            self._draft.keys[id(field), id(position)] = "__typename"
            self._types.answer(position, field)
            return None
        if not field.on >= position.types and position.parent is not None:
            self._types.tell(position, field.on)
        own = field.guards[0] if len(field.guards) == 1 else ()
        guards = (*position.guards, *own)
        key = self._positions.client_key(position, field)
        self._draft.keys[id(field), id(position)] = key
        self.place(Placement(position, field, key, guards, own))
        return self._positions.below(position, field, key, guards)

    def place(self, placement: Placement, *, only: str | None = None, latest: int | None = None) -> set[Step]:
        """Place a field for every type that it is selected on and return the steps that answer it.

        ``only`` is the subgraph to take it from, ``latest`` the last stage in which it should be at hand.

        Raises:
            PlanningError: NO_PATH, REQUIREMENT_CYCLE or PLAN_BUDGET_EXCEEDED.
        """
        self._budget -= 1
        if self._budget < 0:
            message = f"planning needs more than {MAX_PLACEMENTS} placements; select fewer fields"
            raise PlanningError(ErrorCode.PLAN_BUDGET_EXCEEDED, message)
        position, field = placement.position, placement.field
        steps: set[Step] = set()
        for ways, types in self._groups(position, field, only, latest).items():
            way = self._ranking.best(self._draft.at_hand(position), types[0], field, ways).way
            step = way.step or self._entries.enter(placement, types, way)
            self._selections.add(placement, step, frozenset(types))
            step.use(placement.guards)
            steps.add(step)
        return steps

    def _groups(
        self, position: Position, field: SelectedField, only: str | None, latest: int | None
    ) -> dict[tuple[Way, ...], list[str]]:
        """Return the types that a field is selected on by the ways that lead to it."""
        on = field.on & position.types
        if only is None:
            only = self._ways.by_interface_object(position, on, field)
        groups: dict[tuple[Way, ...], list[str]] = {}
        for type_name in sorted(on):
            ways = self._ways.find(position, type_name, field)
            if only is not None:
                ways = tuple(way for way in ways if way.subgraph == only)
            if not ways and only is None and self._can_occur(position, type_name):
                ways = self._detours.find(position, type_name, field)
            if latest is not None:
                ways = tuple(way for way in ways if way.stage <= latest) or ways
            if ways:
                groups.setdefault(ways, []).append(type_name)
        return groups

    def _can_occur(self, position: Position, type_name: str) -> bool:
        return position.parent is None or any(type_name in one.types for one in self._draft.at_hand(position))
