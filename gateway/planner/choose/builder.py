"""Place the fields of an operation, in the order that lets them share requests.

1. Fields wait in a work list. One with one best way is placed at once, and the fields below it join the list; one whose
   best way needs a new request waits until nothing else can be placed.
2. Root fields of a mutation are placed one after another, each with everything below it.
3. Deferred fragments come last, outer before inner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from gateway.graph import SubgraphIndex
from gateway.operation.document import Operation, SelectedField
from gateway.planner.choose.place import Placer
from gateway.planner.draft import Draft
from gateway.planner.estimate import Estimator
from gateway.planner.steps import Position

__all__ = ["PlanBuilder"]


class PlanBuilder:
    """Builds the steps of one operation."""

    def __init__(self, index: SubgraphIndex, operation: Operation) -> None:
        self._index = index
        self._operation = operation
        self._estimator = Estimator(index)
        self._draft = Draft(index, operation)
        self._placer = Placer(index, self._draft, self._estimator)
        self._below: dict[tuple[int, int], Position] = {}

    def build(self) -> Draft:
        """Place every field of the operation.

        Raises:
            PlanningError: NO_PATH, REQUIREMENT_CYCLE or PLAN_BUDGET_EXCEEDED.
        """
        first = [field for field in self._operation.fields if not field.deferred]
        if self._operation.kind == "mutation":
            for field in first:
                self._draft.raise_barrier()
                self._place_root([field])
        else:
            self._place_root(first)
        for part in range(len(self._operation.deferred)):
            self._draft.begin_part(part)
            self._place_from(list(self._deferred_fields(self._draft.root, self._operation.fields, part)))
        self._draft.widen_guards()
        return self._draft

    def _place_root(self, fields: Sequence[SelectedField]) -> None:
        estimates = [self._last_stage(field) for field in fields if field.name != "__typename"]
        self._draft.deadline = max(estimates, default=0)
        self._place_from((self._draft.root, field) for field in fields)

    def _last_stage(self, field: SelectedField) -> int:
        """Return the last stage that a root field needs, taken from the subgraph where that is earliest."""
        first, root = self._draft.first_stage, self._operation.root_type
        found = [
            first + self._estimator.estimate(field.fields, self._estimator.places.entered(name, root, field)).depth
            if field.fields
            else first
            for name in self._index.subgraph_names
            if self._index.local(name, root, field.name)
        ]
        return min(found, default=first)

    def _deferred_fields(
        self, position: Position, fields: Iterable[SelectedField], part: int
    ) -> Iterable[tuple[Position, SelectedField]]:
        """Yield the outermost fields of a deferred fragment with the positions that were made for what is around it."""
        for field in fields:
            child = self._below.get((id(field), id(position)))
            if part in field.deferred:
                yield position, field
            elif child is not None:
                yield from self._deferred_fields(child, field.fields, part)

    def _place_from(self, fields: Iterable[tuple[Position, SelectedField]]) -> None:
        """Place fields and everything below them that belongs to the same part of the answer."""
        ready = deque((position, field, True) for position, field in fields)
        waiting: deque[tuple[Position, SelectedField, bool]] = deque()
        while ready or waiting:
            position, field, patient = ready.popleft() if ready else waiting.popleft()
            if patient and self._placer.needs_request(position, field):
                waiting.append((position, field, False))
                continue
            child = self._placer.place_client_field(position, field)
            if child is not None:
                self._below[id(field), id(position)] = child
                ready.extend((child, inner, True) for inner in field.fields if self._belongs(inner))

    def _belongs(self, field: SelectedField) -> bool:
        part = self._draft.part
        return not field.deferred if part is None else part in field.deferred
