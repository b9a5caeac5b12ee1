"""Read a plan back from its JSON, so that plans can be kept and set side by side with later ones.

Object types that share a representation or a fragment stand one after another in the JSON; they are joined again here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from gateway.plan.nodes import (
    ConditionNode,
    ContextRead,
    ContextVariable,
    DeferNode,
    DeferredPart,
    EntityCall,
    EntityTarget,
    Fetch,
    FetchId,
    FetchNode,
    FieldStep,
    FlattenNode,
    Guard,
    ListStep,
    OutputField,
    ParallelNode,
    Path,
    PathStep,
    PlanNode,
    QueryPlan,
    Representation,
    RequiredField,
    RequiredFragment,
    RequiredSelection,
    SequenceNode,
    SliceStep,
    StreamedList,
    SubgraphName,
    SubscriptionNode,
    TypeStep,
)

__all__ = ["from_json"]

_Json = Mapping[str, Any]


def from_json(value: _Json) -> QueryPlan:
    """Return the plan that :func:`gateway.plan.to_json` wrote.

    Raises:
        ValueError: the value is no such plan; the message names what is missing or unknown.
    """
    try:
        return _Reader().plan(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the value is no query plan: {error!r}") from error


class _Reader:
    """Reads one plan; fetches are collected from the tree."""

    def __init__(self) -> None:
        self._fetches: dict[int, Fetch] = {}

    def plan(self, value: _Json) -> QueryPlan:
        if value["kind"] != "QueryPlan":
            raise ValueError(f"the value is no query plan but {value['kind']}")
        root = self._node(value["node"]) if value["node"] is not None else None
        return QueryPlan(
            kind=value["operationKind"],
            fetches=tuple(fetch for _, fetch in sorted(self._fetches.items())),
            output=_outputs(value["output"]),
            root_type=value["rootType"],
            introspection=value["introspection"],
            deferred=tuple(
                DeferredPart(
                    part["label"], part["parent"], tuple(map(FetchId, part["fetches"])), part.get("initialCount")
                )
                for part in value["deferred"]
            ),
            root=root,
        )

    def _node(self, value: _Json) -> PlanNode:
        match value["kind"]:
            case "Fetch":
                return self._fetch_node(value)
            case "Flatten":
                return FlattenNode(_path(value["path"]), self._node(value["node"]))
            case "Sequence":
                return SequenceNode(tuple(map(self._node, value["nodes"])))
            case "Parallel":
                return ParallelNode(tuple(map(self._node, value["nodes"])))
            case "Condition":
                expected = "ifClause" in value
                clause = value["ifClause" if expected else "elseClause"]
                return ConditionNode(Guard(value["condition"], expected), self._node(clause))
            case "Subscription":
                rest = self._node(value["rest"]) if value["rest"] is not None else None
                return SubscriptionNode(self._fetch_node(value["primary"]), rest)
            case "Defer":
                return DeferNode(
                    self._optional(value["primary"]),
                    tuple((part["id"], self._optional(part)) for part in value["deferred"]),
                )
            case other:
                raise ValueError(f"the value is no query plan: {other} is no kind of node")

    def _optional(self, value: _Json) -> PlanNode | None:
        return self._node(value["node"]) if value["node"] is not None else None

    def _fetch_node(self, value: _Json) -> FetchNode:
        fetch = _fetch(value)
        self._fetches[fetch.id] = fetch
        return FetchNode(fetch.id)


def _fetch(value: _Json) -> Fetch:
    return Fetch(
        id=FetchId(value["id"]),
        subgraph=SubgraphName(value["serviceName"]),
        kind=value["operationKind"],
        document=value["operation"],
        operation_name=value.get("operationName"),
        variables=tuple(value["variableUsages"]),
        calls=tuple(
            EntityCall(
                call["key"],
                call["variable"],
                tuple(EntityTarget(_path(one["path"]), _representations(one["requires"])) for one in call["targets"]),
                tuple(map(_context, call.get("contexts", ()))),
            )
            for call in value.get("calls", ())
        ),
        after=tuple(FetchId(number) for number in value["after"]),
        guards=_guards(value.get("guards", ())),
        at=_path(value.get("at", ())),
    )


def _path(texts: Iterable[str]) -> Path:
    steps: list[PathStep] = []
    for text in texts:
        key, *conditions = text.split("|[")
        if key == "@":
            steps.append(ListStep())
        elif key.startswith("@["):
            start, _, stop = key[2:-1].partition(":")
            steps.append(SliceStep(int(start), int(stop) if stop else None))
        elif key:
            steps.append(FieldStep(key))
        steps.extend(TypeStep(tuple(one.removesuffix("]").split(","))) for one in conditions)
    return tuple(steps)


def _guards(values: Iterable[_Json]) -> tuple[Guard, ...]:
    return tuple(Guard(one["variable"], one["expected"]) for one in values)


def _representations(values: Sequence[_Json]) -> tuple[Representation, ...]:
    groups = groupby(values, lambda one: (one.get("typename"), _required(one["selections"])))
    return tuple(
        Representation(tuple(one["typeCondition"] for one in items), typename, selections)
        for (typename, selections), items in groups
    )


def _required(values: Sequence[_Json]) -> tuple[RequiredSelection, ...]:
    found: list[RequiredSelection] = []
    for is_fragment, items in groupby(values, lambda one: one["kind"] == "InlineFragment"):
        if not is_fragment:
            found += [
                RequiredField(one["name"], one.get("source", one["name"]), _required(one.get("selections", ())))
                for one in items
            ]
            continue
        for selections, fragments in groupby(items, lambda one: _required(one["selections"])):
            found.append(RequiredFragment(tuple(one["typeCondition"] for one in fragments), selections))
    return tuple(found)


def _context(value: _Json) -> ContextVariable:
    reads = (ContextRead(_path(one["path"]), tuple(one["types"]), tuple(one["keys"])) for one in value["reads"])
    return ContextVariable(value["variable"], value["type"], tuple(reads))


def _outputs(values: Iterable[_Json]) -> tuple[OutputField, ...]:
    return tuple(
        OutputField(
            key=one["key"],
            name=one["name"],
            source=one["source"],
            type=one["type"],
            on=tuple(one["on"]) if "on" in one else None,
            guards=tuple(map(_guards, one.get("guards", ()))),
            fields=_outputs(one.get("fields", ())),
            deferred=tuple(one.get("deferred", ())),
            stream=StreamedList(one["stream"]["part"], one["stream"]["initialCount"]) if "stream" in one else None,
        )
        for one in values
    )
