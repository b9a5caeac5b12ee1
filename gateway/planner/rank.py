"""Compare the ways to a field: by what they cost on top of the requests that the plan has already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.graph import Place
from gateway.operation.document import SelectedField
from gateway.planner.cost import Slot
from gateway.planner.draft import Draft
from gateway.planner.estimate import Estimator
from gateway.planner.steps import Presence, Step

__all__ = ["Choice", "Ranking", "Way"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a field for one type: through objects at hand (``step``), or by entering ``subgraph`` at ``stage``."""

    subgraph: str
    stage: int
    step: Step | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A way with its price.

    Attributes:
        missing: fields below that no entity fetch leads to.
        finish: last stage that the way needs, but not before ``deadline``.
        new_slots: requests that the plan does not have yet.
        entered: fields that move by entity fetches.
        own_finish: last stage that the way needs.
    """

    missing: int
    finish: int
    new_slots: int
    entered: int
    own_finish: int
    way: Way

    @property
    def order(self) -> tuple[object, ...]:
        """What choices are compared by; the lowest is the best, and no two ways have the same."""
        way = self.way
        number = way.step.number if way.step else -1
        price = (self.missing, self.finish, self.new_slots, self.entered, self.own_finish)
        return (*price, way.step is None, way.stage, way.subgraph, number)


class Ranking:
    """Prices ways by the requests that a draft has so far."""

    def __init__(self, draft: Draft, estimator: Estimator) -> None:
        self._draft = draft
        self._estimator = estimator

    def best(self, at_hand: Iterable[Presence], type_name: str, field: SelectedField, ways: Iterable[Way]) -> Choice:
        """Return the best of several ways to a field of objects that are ``at_hand``."""
        presences = tuple(at_hand)
        return min((self._price(presences, type_name, field, way) for way in ways), key=lambda one: one.order)

    def _price(self, presences: tuple[Presence, ...], type_name: str, field: SelectedField, way: Way) -> Choice:
        missing, depth, entered, slots = 0, 0, 0, set[Slot]()
        if field.fields:
            inner = self._estimator.estimate(field.fields, self._below(presences, type_name, field, way))
            missing, depth, entered = inner.missing, inner.depth, inner.entered
            slots = {(stage + way.stage, name) for stage, name in inner.slots}
        new = len(slots - self._draft.slots)
        finish = way.stage + depth
        if way.step is None:
            latest = max(self._draft.deadline, finish) - depth
            new += not any(way.stage <= stage <= latest for stage in self._draft.stages.get(way.subgraph, ()))
            entered += self._estimator.size(field)
        return Choice(missing, max(finish, self._draft.deadline), new, entered, finish, way)

    def _below(self, presences: tuple[Presence, ...], type_name: str, field: SelectedField, way: Way) -> Place:
        """Return where a field's objects will be when it is placed in this way."""
        for presence in presences:
            if presence.step is way.step and type_name in presence.types:
                place = Place(presence.subgraph, presence.declared, presence.provided)
                below = self._estimator.places.below(place, type_name, field)
                if below is not None:
                    return below
        return self._estimator.places.entered(way.subgraph, type_name, field)
