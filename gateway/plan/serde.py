"""Plans as JSON, in the shape that other planners and routers use."""

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
    """Return the plan's tree as plain values."""
    return {"kind": "QueryPlan", "node": None if plan.root is None else _node(plan, plan.root)}


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
                        "label": plan.deferred[index].label,
                        "path": path_text(plan.deferred[index].path),
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
    if fetch.calls:
        found["calls"] = [
            {
                "key": call.key,
                "targets": [
                    {
                        "path": path_text(target.path),
                        "requires": [
                            {
                                "kind": "InlineFragment",
                                "typeCondition": name,
                                "typename": one.typename or name,
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
