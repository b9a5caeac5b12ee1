"""Small supergraphs for tests of planning, composed from SDL in line."""

from __future__ import annotations

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.operation import parse_operation
from gateway.plan import QueryPlan, check_plan, to_text
from gateway.planner import Planner
from gateway.supergraph import Supergraph, parse_supergraph

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", '
    '"@requires", "@provides", "@override", "@inaccessible", "@interfaceObject", "@context", "@fromContext"])\n'
)


def supergraph_of(**subgraphs: str) -> Supergraph:
    """Compose subgraphs given as name=SDL (federation 2 link added)."""
    return parse_supergraph(supergraph_text(**subgraphs))


def supergraph_text(**subgraphs: str) -> str:
    """Compose as :func:`supergraph_of` and return the text."""
    sources = [SubgraphSource(name, f"http://{name}.example", LINK + sdl) for name, sdl in subgraphs.items()]
    return compose_or_raise(sources).supergraph or ""


def plan_of(supergraph: Supergraph, operation: str, *labels: str) -> QueryPlan:
    """Plan an operation and check the plan's soundness."""
    plan = Planner(supergraph).plan(parse_operation(supergraph, operation), override_labels=frozenset(labels))
    check_plan(plan)
    return plan


def shape_of(plan: QueryPlan) -> list[str]:
    """Return one line per fetch: subgraph, what it waits for, its document."""
    return [f"{fetch.subgraph} after {list(fetch.after)}: {fetch.document}" for fetch in plan.fetches]


def printed(plan: QueryPlan) -> str:
    """Return the plan's text form."""
    return to_text(plan)
