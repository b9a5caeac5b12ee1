"""Plans as JSON, in the shape that other planners and routers use, with what is needed to read them back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from gateway.plan.nodes import (
    ConditionNode,
    ContextVariable,
    DeferNode,
    Fetch,
    FetchNode,
    FlattenNode,
    Guard,
    OutputField,
    ParallelNode,
    PlanNode,
    QueryPlan,
    RequiredField,
    RequiredSelection,
    SequenceNode,
    SubscriptionNode,
)
from gateway.plan.print import path_text

__all__ = ["to_json"]


def to_json(plan: QueryPlan) -> dict[str, Any]:
    """Return the plan as plain values: its tree under ``node``, then what shapes the answer."""
    return {
        "kind": "QueryPlan",
        "node": None if plan.root is None else _node(plan, plan.root),
        "operationKind": plan.kind,
        "rootType": plan.root_type,
        "introspection": plan.introspection,
        "output": [_output(field) for field in plan.output],
        "deferred": [
            {
                "label": part.label,
                "parent": part.parent,
                "fetches": list(part.fetches),
                **({} if part.initial_count is None else {"initialCount": part.initial_count}),
            }
            for part in plan.deferred
        ],
    }


def _output(field: OutputField) -> dict[str, Any]:
    found: dict[str, Any] = {"key": field.key, "name": field.name, "source": field.source, "type": field.type}
    if field.on is not None:
        found["on"] = list(field.on)
    if field.guards:
        found["guards"] = [_guards(alternative) for alternative in field.guards]
    if field.fields:
        found["fields"] = [_output(child) for child in field.fields]
    if field.deferred:
        found["deferred"] = list(field.deferred)
    if field.stream is not None:
        found["stream"] = {"part": field.stream.part, "initialCount": field.stream.initial_count}
    return found


def _guards(guards: Iterable[Guard]) -> list[dict[str, Any]]:
    return [{"variable": guard.variable, "expected": guard.expected} for guard in guards]


def _node(plan: QueryPlan, node: PlanNode) -> dict[str, Any]:
    match node:
        case FetchNode():
            return _fetch(plan.fetches[node.fetch])
        case FlattenNode():
            return {"kind": "Flatten", "path": path_text(node.path), "node": _node(plan, node.node)}
        case SequenceNode():
            return {"kind": "Sequence", "nodes": [_node(plan, one) for one in node.nodes]}
        case ParallelNode():
            return {"kind": "Parallel", "nodes": [_node(plan, one) for one in node.nodes]}
        case ConditionNode():
            clause = "ifClause" if node.guard.expected else "elseClause"
            return {"kind": "Condition", "condition": node.guard.variable, clause: _node(plan, node.node)}
        case SubscriptionNode():
            rest = _node(plan, node.rest) if node.rest is not None else None
            return {"kind": "Subscription", "primary": _node(plan, node.primary), "rest": rest}
        case DeferNode():
            return {
                "kind": "Defer",
                "primary": {"node": _node(plan, node.primary) if node.primary is not None else None},
                "deferred": [
                    {
                        "id": index,
                        "label": plan.deferred[index].label,
                        "node": _node(plan, one) if one is not None else None,
                    }
                    for index, one in node.deferred
                ],
            }
        case _:
            assert_never(node)


def _fetch(fetch: Fetch) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "Fetch",
        "id": fetch.id,
        "after": list(fetch.after),
        "serviceName": fetch.subgraph,
        "operationKind": fetch.kind,
        "operation": fetch.document,
        "variableUsages": list(fetch.variables),
    }
    if fetch.operation_name is not None:
        found["operationName"] = fetch.operation_name
    if fetch.guards:
        found["guards"] = _guards(fetch.guards)
    if fetch.at:
        found["at"] = path_text(fetch.at)
    if fetch.calls:
        found["calls"] = [
            {
                "key": call.key,
                "variable": call.variable,
                "targets": [
                    {
                        "path": path_text(target.path),
                        "requires": [
                            {
                                "kind": "InlineFragment",
                                "typeCondition": name,
                                **({"typename": one.typename} if one.typename else {}),
                                "selections": _required(one.selections),
                            }
                            for one in target.representations
                            for name in one.types
                        ],
                    }
                    for target in call.targets
                ],
                **({"contexts": [_context(one) for one in call.contexts]} if call.contexts else {}),
            }
            for call in fetch.calls
        ]
    return found


def _context(variable: ContextVariable) -> dict[str, Any]:
    return {
        "variable": variable.name,
        "type": variable.type,
        "reads": [
            {"path": path_text(one.path), "types": list(one.types), "keys": list(one.keys)} for one in variable.reads
        ],
    }


def _required(selections: Iterable[RequiredSelection]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in selections:
        if isinstance(one, RequiredField):
            field: dict[str, Any] = {"kind": "Field", "name": one.name}
            if one.source != one.name:
                field["source"] = one.source
            if one.selections:
                field["selections"] = _required(one.selections)
            found.append(field)
        else:
            found.extend(
                {"kind": "InlineFragment", "typeCondition": name, "selections": _required(one.selections)}
                for name in one.types
            )
    return found
