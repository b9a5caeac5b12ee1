"""Show what each stage of planning made, for people who look for the first one that went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable

from gateway.graph import SubgraphIndex
from gateway.operation.document import Operation, SelectedField
from gateway.plan import to_json, to_text
from gateway.planner.build import Draft, PlanBuilder
from gateway.planner.schedule import schedule
from gateway.supergraph import Supergraph

__all__ = ["STAGES", "explain"]

STAGES = ("normalize", "graph", "paths", "fetch-graph", "plan")


def explain(supergraph: Supergraph, operation: Operation, *, stage: str = "plan", format: str = "text") -> str:  # noqa: A002 - the option's name
    """Return one stage as text; ``format`` json is for the plan only.

    Raises:
        PlanningError: there is no plan.
    """
    index = SubgraphIndex(supergraph)
    if stage == "normalize":
        return "\n".join(_selection(operation.fields, 0))
    if stage == "graph":
        return "\n".join(_graph(index))
    if stage == "paths":
        return "\n".join(_paths(index, operation))
    draft = PlanBuilder(index, operation).build()
    if stage == "fetch-graph":
        return "\n".join(_steps(draft))
    plan = schedule(index, operation, draft)
    return json.dumps(to_json(plan), indent=2) if format == "json" else to_text(plan)


def _selection(fields: Iterable[SelectedField], depth: int) -> Iterable[str]:
    for field in fields:
        key = field.name if field.key == field.name else f"{field.key}: {field.name}"
        arguments = f"({field.arguments_text})" if field.arguments_text else ""
        guards = " or ".join(
            " and ".join(f"{'' if guard.expected else 'not '}${guard.variable}" for guard in one)
            for one in field.guards
        )
        condition = f" when {guards}" if guards else ""
        yield f"{'  ' * depth}{key}{arguments} on {', '.join(sorted(field.on))}{condition}"
        yield from _selection(field.fields, depth + 1)


def _graph(index: SubgraphIndex) -> Iterable[str]:
    for type_ in index.supergraph.types.values():
        if type_.kind != "object":
            continue
        for name in index.subgraph_names:
            if name not in type_.joins:
                continue
            fields = [field for field in type_.fields if index.local(name, type_.name, field)]
            reach = {other: level for other, level in index.reach(type_.name, name).items() if level}
            hops = ", ".join(f"{other} after {level}" for other, level in sorted(reach.items())) or "nowhere"
            yield f"{type_.name} in {name}: resolves {', '.join(fields) or 'nothing'}; leads to {hops}"


def _paths(index: SubgraphIndex, operation: Operation) -> Iterable[str]:
    for field in operation.fields:
        for one in field.walk():
            for type_name in sorted(one.on):
                holders = [
                    n for n in index.subgraph_names if one.name != "__typename" and index.local(n, type_name, one.name)
                ]
                yield f"{type_name}.{one.name}: {', '.join(holders) or 'by interface object, key or not at all'}"


def _steps(draft: Draft) -> Iterable[str]:
    for step in draft.steps:
        after = ", ".join(str(other.number) for other in sorted(step.after, key=lambda one: one.number)) or "nothing"
        where = (
            "root" if step.position is None else ".".join(str(getattr(one, "key", "@")) for one in step.position.path)
        )
        types = ", ".join(sorted(step.branches))
        yield f"step {step.number}: {step.subgraph} stage {step.stage} at {where} for {types}, after {after}"
