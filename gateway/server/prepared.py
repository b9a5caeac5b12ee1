"""A supergraph with what is made from it, and an operation that is ready to run on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.cache.cache import CachedOperation, GraphCache
from gateway.executor import ExecutablePlan
from gateway.executor.resumption import ResumableField, ResumableStream
from gateway.executor.shape import SchemaTypes
from gateway.operation import Operation
from gateway.operation.variables import VariableChecker
from gateway.plan.nodes import OperationKind, QueryPlan
from gateway.policies.admission import Terms
from gateway.policies.cost_weights import CostWeights
from gateway.server.authorization import Closed
from gateway.server.idempotency import KeyedFields, KeyedMutation
from gateway.server.overrides import OverrideLabels
from gateway.server.plan_cache import PlanCache
from gateway.server.principal import Principal
from gateway.server.rules import Rules
from gateway.supergraph import Supergraph
from gateway.transport.base import SubgraphTransport

__all__ = ["Graph", "Head", "MakesPlans", "PlanKey", "Prepared", "Switches"]


class MakesPlans(Protocol):
    """What the pipeline wants of a planner."""

    def plan(self, operation: Operation, *, override_labels: frozenset[str] = frozenset()) -> QueryPlan:
        """Return the plan of an operation under the progressive overrides that are on."""
        ...


Switches = tuple[tuple[str, bool | int], ...]
"""Variables with their values that decide what is left for later: Booleans, and how many items of a list come first."""

PlanKey = tuple[str, str | None, Closed, frozenset[str], Switches | None, bool]
"""Text, operation name, closed coordinates, override labels; for an answer in parts the switches, else None; whether a
header brings the key that the text may leave out."""


@dataclass(slots=True, eq=False)
class Graph:
    """A supergraph with all that is made from it; requests hold on to the one that they began with.

    Attributes:
        rules: what operations keep to that run on it.
        answers: what is kept of answers, None when nothing is.
        cache: prepared operations.
        closed: coordinates that principals may not see.
        running: requests under way.
        idle: set when nothing is under way any more, once the graph is no longer served.
    """

    supergraph: Supergraph
    planner: MakesPlans
    transports: Mapping[str, SubgraphTransport]
    types: SchemaTypes
    resumable: Mapping[str, ResumableField]
    keyed: KeyedFields
    overrides: OverrideLabels
    weights: CostWeights | None
    rules: Rules
    answers: GraphCache | None = None
    cache: PlanCache = field(init=False)
    closed: dict[Principal, Closed] = field(default_factory=dict)
    running: int = 0
    idle: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.cache = PlanCache(self.rules.max_cached_plans)

    def leave(self) -> None:
        """Count a request that ended."""
        self.running -= 1
        if self.running == 0 and self.idle is not None:
            self.idle.set()

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        self.idle = asyncio.Event()
        if self.running:
            await self.idle.wait()


@dataclass(frozen=True, slots=True)
class Head:
    """What is remembered of an operation once it is planned: its document would make the plan half as large again."""

    kind: OperationKind
    name: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that is ready to run for every principal with the same closed coordinates.

    Attributes:
        digest: by which logs name the text.
        denied: coordinates of fields that were taken out, since they are closed.
    """

    operation: Head
    plan: ExecutablePlan
    variables: VariableChecker
    resumable: ResumableStream | None
    keyed: KeyedMutation | None
    terms: Terms | None
    digest: str
    graph: Graph
    cached: CachedOperation | None = None
    denied: tuple[str, ...] = ()
