"""What an operation takes on one schema: requests to subgraphs, how they wait for each other, and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import value_from_ast_untyped

from gateway.config import DemandSettings
from gateway.operation import Operation
from gateway.plan.nodes import QueryPlan
from gateway.planner import Planner
from gateway.policies.cost_estimate import OperationCost
from gateway.policies.cost_weights import read_weights
from gateway.supergraph import Supergraph

__all__ = ["Effort", "Gauge"]

_LIST_SIZE = DemandSettings().default_list_size


@dataclass(frozen=True, slots=True)
class Effort:
    """What one operation takes.

    Attributes:
        fetches: requests to subgraphs.
        depth: the longest chain of those that wait for each other.
        cost: what demand control takes it to cost with the defaults of its variables and of the settings.
    """

    fetches: int
    depth: int
    cost: int


class Gauge:
    """Measures operations on one schema."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._planner = Planner(supergraph)
        self._weights = read_weights(supergraph)

    def measure(self, operation: Operation) -> Effort:
        """Return what an operation takes.

        Raises:
            PlanningError: no plan answers it.
        """
        plan = self._planner.plan(operation)
        cost = OperationCost(operation, self._weights, _LIST_SIZE).estimate(_defaults(operation))
        return Effort(len(plan.fetches), _depth(plan), cost)


def _depth(plan: QueryPlan) -> int:
    depth: dict[int, int] = {}
    for fetch in plan.fetches:
        depth[fetch.id] = 1 + max((depth[other] for other in fetch.after), default=0)
    return max(depth.values(), default=0)


def _defaults(operation: Operation) -> dict[str, Any]:
    return {
        node.variable.name.value: value_from_ast_untyped(node.default_value)
        for node in operation.variable_definitions
        if node.default_value is not None
    }
