"""Show what each stage of planning made, for people who look for the first one that went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable

from gateway.graph import SubgraphIndex
from gateway.operation.document import Guards, Operation, SelectedField
from gateway.plan import to_json, to_text
from gateway.plan.nodes import OutputField
from gateway.planner.choose import PlanBuilder
from gateway.planner.draft import Draft
from gateway.planner.draw import draw_graph, draw_steps
from gateway.planner.schedule import schedule
from gateway.planner.steps import Step
from gateway.supergraph import Supergraph

__all__ = ["FORMATS", "STAGES", "explain"]

STAGES = ("normalize", "graph", "paths", "fetch-graph", "plan", "projection")
FORMATS: dict[str, tuple[str, ...]] = {
    "graph": ("text", "dot"),
    "fetch-graph": ("text", "dot"),
    "plan": ("text", "json"),
}
"""Formats of each stage; those that are not named have text only."""


def explain(
    supergraph: Supergraph,
    operation: Operation,
    *,
    stage: str = "plan",
    format: str = "text",  # noqa: A002 - the option's name
    override_labels: frozenset[str] = frozenset(),
) -> str:
    """Return one stage as text, or in another of its ``FORMATS``.

    Raises:
        PlanningError: there is no plan.
    """
    index = SubgraphIndex(supergraph, override_labels)
    match stage:
        case "normalize":
            return "\n".join(_selection(operation, operation.fields, 0))
        case "graph":
            return draw_graph(index) if format == "dot" else "\n".join(_graph(index))
        case "paths":
            return "\n".join(_paths(index, operation))
    draft = PlanBuilder(index, operation).build()
    if stage == "fetch-graph":
        return draw_steps(draft.steps) if format == "dot" else "\n".join(_steps(draft))
    plan = schedule(index, operation, draft)
    if stage == "projection":
        return "\n".join(_projection(plan.output, 0))
    return json.dumps(to_json(plan), indent=2) if format == "json" else to_text(plan)


def _selection(operation: Operation, fields: Iterable[SelectedField], depth: int) -> Iterable[str]:
    for field in fields:
        key = field.name if field.key == field.name else f"{field.key}: {field.name}"
        arguments = f"({field.arguments_text})" if field.arguments_text else ""
        parts = ", ".join(operation.deferred[part].label or f"part {part}" for part in sorted(field.deferred))
        deferred = f" deferred in {parts}" if parts else ""
        if field.stream is not None:
            deferred += f" streamed after {field.stream.initial_count}"
        yield f"{'  ' * depth}{key}{arguments} on {', '.join(sorted(field.on))}{_when(field.guards)}{deferred}"
        yield from _selection(operation, field.fields, depth + 1)


def _when(guards: Guards) -> str:
    alternatives = " or ".join(
        " and ".join(f"{'' if guard.expected else 'not '}${guard.variable}" for guard in one) for one in guards
    )
    return f" when {alternatives}" if alternatives else ""


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
            if one.name == "__typename":
                continue
            for type_name in sorted(one.on):
                yield f"{type_name}.{one.name}: {', '.join(_holders(index, type_name, one.name)) or 'no subgraph'}"


def _holders(index: SubgraphIndex, type_name: str, field: str) -> Iterable[str]:
    for name in index.subgraph_names:
        if index.local(name, type_name, field):
            yield name
        for interface in index.interfaces(type_name):
            if index.is_interface_object(name, interface) and index.local(name, interface, field):
                yield f"{name} as {interface}"


def _steps(draft: Draft) -> Iterable[str]:
    for step in draft.steps:
        after = ", ".join(str(other.number) for other in sorted(step.after, key=lambda one: one.number)) or "nothing"
        types = ", ".join(sorted(step.branches))
        part = "" if step.part is None else f" for deferred part {step.part}"
        place = f"stage {step.stage} at {_where(step)}"
        yield f"step {step.number}: {step.subgraph} {place} for {types}, after {after}{part}"


def _where(step: Step) -> str:
    return "root" if step.position is None else ".".join(str(getattr(one, "key", "@")) for one in step.position.path)


def _projection(fields: Iterable[OutputField], depth: int) -> Iterable[str]:
    for field in fields:
        source = "" if field.source == field.key else f" from {field.source}"
        on = "" if field.on is None else f" on {', '.join(field.on)}"
        parts = f" deferred in part {', '.join(map(str, field.deferred))}" if field.deferred else ""
        yield f"{'  ' * depth}{field.key}: {field.type}{source}{on}{_when(field.guards)}{parts}"
        yield from _projection(field.fields, depth + 1)
