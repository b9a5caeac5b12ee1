"""Let extensions see an operation: who asks and what, then how it will be answered."""

from __future__ import annotations

from dataclasses import replace

from gateway.executor import ExecutionContext
from gateway.extensions.facts import Plan, Request
from gateway.extensions.hooks import Hooks, Visit
from gateway.plan.nodes import QueryPlan
from gateway.server.prepared import Prepared
from gateway.server.request import RequestContext

__all__ = ["enter", "plan_of"]


async def enter(
    hooks: Hooks, prepared: Prepared, execution: ExecutionContext, context: RequestContext
) -> tuple[ExecutionContext, Visit]:
    """Return the surroundings of an operation that extensions let in, and its way past them.

    Where extensions tell subgraphs apart by who asks, its streams are nobody else's.

    Raises:
        RequestError, ExtensionError: it does not run.
    """
    operation = prepared.operation
    request = Request(
        operation.kind,
        operation.name,
        prepared.digest,
        {**execution.defaults, **execution.variables},
        context.principal,
        context.client,
        context.came_with or {},
    )
    visit = Visit(hooks, request, execution.timeout_s, execution.deadline)
    await visit.enter()
    audience = None if hooks.tell_callers else execution.audience
    return replace(execution, caller=visit, audience=audience), visit


def plan_of(plan: QueryPlan, cost: int | None) -> Plan:
    """Return what extensions are told of a plan."""
    return Plan(len(plan.fetches), tuple(dict.fromkeys(fetch.subgraph for fetch in plan.fetches)), cost)
