"""Prepare operations against the supergraph that is served, and remember them.

Text, operation name and what the principal may not see select a prepared operation from a bounded cache; a new one is
parsed, validated, stripped of closed fields, planned and compiled. One that is refused is not remembered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import partial

from gateway.cache.cache import CachedOperation
from gateway.errors import GatewayError
from gateway.executor import ExecutablePlan, compile_plan
from gateway.executor.resumption import ResumableStream, compile_resumption
from gateway.executor.shape import SchemaTypes
from gateway.operation import parse_operation
from gateway.operation.key_variable import with_key_variable
from gateway.operation.variables import VariableChecker
from gateway.plan.nodes import QueryPlan
from gateway.policies.cost_weights import read_weights
from gateway.policies.request_log import hash_of
from gateway.server.authorization import Closed, closed_coordinates, coordinates_of, enforce, restore
from gateway.server.idempotency import compile_keys, idempotent_fields
from gateway.server.overrides import OverrideLabels
from gateway.server.prepared import Graph, Head, MakesPlans, Prepared, Switches
from gateway.server.principal import Principal
from gateway.server.request import GraphQLRequest
from gateway.server.resumption import resumable_fields
from gateway.server.rules import Rules
from gateway.supergraph import Supergraph
from gateway.transport.base import SubgraphTransport

__all__ = ["Preparer", "make_graph"]

MAX_WARMED = 200
"""Operations that are prepared for a new supergraph before it is served."""

MAX_PRINCIPAL_SHAPES = 10_000
"""Principals whose closed coordinates are remembered; a later one starts the memory afresh."""


class Preparer:
    """Prepares operations; ``graph`` is the one that is served now.

    The rules of the graph say what operations have to keep to, and how many are remembered.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    async def warm(self, graph: Graph) -> None:
        """Prepare for another graph what was used last, so that clients do not wait for plans all at once.

        Plans that are still right are kept: those of the same supergraph, where fields are closed the same way.
        """
        served = self.graph
        alike = graph.supergraph is served.supergraph
        alike = alike and graph.rules.policies.authorization == served.rules.policies.authorization
        for key, known in served.cache.latest(min(MAX_WARMED, graph.rules.max_cached_plans)):
            try:
                prepared = self._prepare(graph, *key, plan=known.plan if alike else None)
                graph.cache.keep(key, prepared, is_used=True)
            except GatewayError:
                continue  # it does not fit the new graph; whoever asks is told why
            await asyncio.sleep(0)

    def serve(self, graph: Graph) -> Graph:
        """Serve another graph from now on and return the one before, which forgets what nothing under way needs."""
        before, self.graph = self.graph, graph
        before.cache.clear()
        before.closed.clear()
        return before

    def prepare(self, request: GraphQLRequest, principal: Principal, *, in_parts: bool, brings_key: bool) -> Prepared:
        """Return the prepared operation; see :meth:`gateway.server.pipeline.Pipeline.prepare`."""
        graph = self.graph
        has_more = in_parts and ("@defer" in request.query or "@stream" in request.query)
        switches = _switches(request) if has_more else None
        closed = self._closed_for(principal)
        key = (request.query, request.operation_name, closed, graph.overrides.active(), switches, brings_key)
        found = graph.cache.get(key)
        if found is not None:
            return found
        rules = graph.rules
        with rules.observer.tracing.planning():
            found = self._prepare(graph, *key)
        if len(request.query) <= rules.max_cached_text_bytes:
            graph.cache.keep(key, found)
        return found

    def _prepare(
        self,
        graph: Graph,
        text: str,
        operation_name: str | None,
        closed: Closed,
        labels: frozenset[str],
        switches: Switches | None,
        brings_key: bool,
        plan: ExecutablePlan | None = None,
    ) -> Prepared:
        policies = graph.rules.policies
        write_key = partial(with_key_variable, operation_name=operation_name, fields=graph.keyed)
        operation = parse_operation(
            graph.supergraph,
            text,
            operation_name,
            max_tokens=policies.max_tokens,
            check=policies.operations.check,
            defers=None if switches is None else dict(switches).get,
            rewrite=write_key if brings_key else None,
            suggests=not policies.introspection.hides(closed),
        )
        policies.introspection.check(operation, closed)
        visible, denied = enforce(operation, closed, policies.authorization)
        schema = graph.supergraph.api_schema
        if plan is None:
            made = graph.planner.plan(visible, override_labels=labels)
            plan = compile_plan(restore(made, denied) if denied else made, schema, graph.types)
        checker = VariableChecker(operation.variable_definitions, schema)
        terms = None if graph.weights is None else policies.admission.terms(visible, graph.weights)
        return Prepared(
            Head(visible.kind, visible.name),
            plan,
            checker,
            _resumption(graph, plan.source),
            compile_keys(operation, graph.keyed) if graph.keyed else None,
            terms,
            hash_of(text),
            graph,
            _cached(graph, plan.source),
            coordinates_of(denied),
        )

    def _closed_for(self, principal: Principal) -> Closed:
        rules = self.graph.supergraph.authorization
        introspection = self.graph.rules.policies.introspection
        if not rules and introspection.is_open:
            return frozenset()
        found = self.graph.closed.get(principal)
        if found is None:
            if len(self.graph.closed) >= MAX_PRINCIPAL_SHAPES:
                self.graph.closed.clear()
            found = closed_coordinates(rules, principal) | introspection.closed_for(principal)
            self.graph.closed[principal] = found
        return found


def make_graph(
    supergraph: Supergraph,
    planner: MakesPlans,
    transports: Mapping[str, SubgraphTransport],
    rules: Rules,
    overrides: OverrideLabels | None = None,
    before: Graph | None = None,
) -> Graph:
    """Return a supergraph with what is made from it once; what ``before`` has of the same supergraph is shared.

    Raises:
        SupergraphError: a directive of the gateway stands where it means nothing.
    """
    weights = read_weights(supergraph) if rules.policies.admission.is_on else None
    labels = overrides or OverrideLabels(supergraph)
    answers = None if rules.cache is None else rules.cache.of(supergraph)
    if before is not None and before.supergraph is supergraph:
        shared = before.types, before.resumable, before.keyed
        return Graph(supergraph, planner, transports, *shared, labels, weights, rules, answers)
    types = SchemaTypes(supergraph.api_schema)
    resumable, keyed = resumable_fields(supergraph), idempotent_fields(supergraph)
    return Graph(supergraph, planner, transports, types, resumable, keyed, labels, weights, rules, answers)


def _cached(graph: Graph, plan: QueryPlan) -> CachedOperation | None:
    """Return what is kept of the answers to a plan: nothing where extensions may make them one caller's own."""
    hooks = graph.rules.hooks
    if graph.answers is None or (hooks is not None and hooks.tell_callers and plan.kind == "query"):
        return None
    return graph.answers.prepare(plan)


def _resumption(graph: Graph, plan: QueryPlan) -> ResumableStream | None:
    if not graph.resumable or plan.kind != "subscription":
        return None
    field = graph.resumable.get(f"{plan.root_type}.{plan.output[0].name}")
    return None if field is None else compile_resumption(plan.fetches[0], field)


_COUNTS = re.compile(r"initialCount[\s,]*:[\s,]*\$(\w+)")
"""Variables of ``@stream``; other numbers do not decide what comes later."""


def _switches(request: GraphQLRequest) -> Switches:
    counts = set(_COUNTS.findall(request.query))
    return tuple(
        sorted(
            (name, value)
            for name, value in (request.variables or {}).items()
            if type(value) is (int if name in counts else bool)
        )
    )
