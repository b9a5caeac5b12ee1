"""The planner: index once per supergraph, then one plan per operation.

``normalize`` (in ``operation``) -> ``PlanBuilder.build`` (which subgraph, which entity fetch) -> ``join_steps`` (which
request) -> ``schedule`` (the frozen plan).
"""

from __future__ import annotations

from gateway.graph import SubgraphIndex
from gateway.operation.document import Operation
from gateway.plan.nodes import QueryPlan
from gateway.planner.choose import PlanBuilder
from gateway.planner.schedule import schedule
from gateway.supergraph import Supergraph

__all__ = ["Planner"]

MAX_LABEL_SETS = 32
"""Most combinations of active override labels whose index is kept; each costs about as much as the supergraph."""


class Planner:
    """Plans operations on one supergraph. Not thread-safe."""

    def __init__(self, supergraph: Supergraph) -> None:
        self.supergraph = supergraph
        self._indexes: dict[frozenset[str], SubgraphIndex] = {}

    def plan(self, operation: Operation, *, override_labels: frozenset[str] = frozenset()) -> QueryPlan:
        """Return the plan of an operation; the same operation always gives the same plan.

        Raises:
            PlanningError: NO_PATH (with the coordinate and the subgraphs tried), REQUIREMENT_CYCLE,
                PLAN_BUDGET_EXCEEDED.
        """
        index = self._index(override_labels)
        return schedule(index, operation, PlanBuilder(index, operation).build())

    def _index(self, labels: frozenset[str]) -> SubgraphIndex:
        found = self._indexes.get(labels)
        if found is None:
            if len(self._indexes) >= MAX_LABEL_SETS:
                self._indexes.pop(next(iter(self._indexes)))
            found = self._indexes[labels] = SubgraphIndex(self.supergraph, labels)
        return found
