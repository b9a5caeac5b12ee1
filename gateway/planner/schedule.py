"""From steps to the frozen plan: requests, their dependencies, the printable tree and the shape of the answer.

1. ``join_steps`` gives every step its stage; entity steps of one subgraph and stage become one request.
2. Within a request, places that select the same share one ``_entities`` call, others get calls under aliases.
3. The dependencies of a request are those of its steps, nothing more: stages order the printed tree only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql import print_ast
from graphql.language import FragmentDefinitionNode, FragmentSpreadNode, Visitor, visit
from graphql.language import VariableNode as _VariableNode

from gateway.graph import SubgraphIndex
from gateway.operation.document import Operation, SelectedField
from gateway.plan.nodes import (
    ConditionNode,
    ContextVariable,
    DeferNode,
    DeferredPart,
    EntityCall,
    EntityTarget,
    Fetch,
    FetchId,
    FetchNode,
    FlattenNode,
    Guard,
    OperationKind,
    OutputField,
    ParallelNode,
    PlanNode,
    QueryPlan,
    Representation,
    RequiredSelection,
    SequenceNode,
    SubgraphName,
    SubscriptionNode,
)
from gateway.planner.build import Draft
from gateway.planner.optimize.join_steps import join_steps
from gateway.planner.steps import Level, Position, Step
from gateway.planner.write import SelectionWriter, write_guards

__all__ = ["schedule"]


@dataclass(eq=False, slots=True)
class _Request:
    subgraph: str
    stage: int
    steps: list[Step]
    part: int | None
    after: set[int] = field(default_factory=set)


def schedule(index: SubgraphIndex, operation: Operation, draft: Draft) -> QueryPlan:
    """Return the plan of a draft."""
    stages = join_steps(draft.steps)
    requests = _requests(draft.steps, stages)
    number = {step: position for position, request in enumerate(requests) for step in request.steps}
    for request in requests:
        request.after = {number[provider] for step in request.steps for provider in step.after}
    fetches = tuple(_Writer(index, operation, position, request).fetch() for position, request in enumerate(requests))
    return QueryPlan(
        kind=operation.kind,
        fetches=fetches,
        output=_output(operation.fields, draft.root, draft),
        root_type=operation.root_type,
        introspection=_introspection(operation),
        deferred=tuple(
            DeferredPart(
                fragment.label,
                fragment.parent,
                tuple(fetch.id for fetch, request in zip(fetches, requests, strict=True) if request.part == number),
            )
            for number, fragment in enumerate(operation.deferred)
        ),
        root=_Tree(operation, fetches, requests).root(),
    )


def _requests(steps: Sequence[Step], stages: dict[Step, int]) -> list[_Request]:
    found: dict[tuple[int, str, int, int | None], _Request] = {}
    for step in sorted(steps, key=lambda one: (stages[one], one.number)):
        own = step.number if step.is_alone else -1
        key = (stages[step], step.subgraph, own, step.part)
        found.setdefault(key, _Request(step.subgraph, stages[step], [], step.part)).steps.append(step)
    return list(found.values())


class _Writer:
    """Writes one request as a fetch."""

    def __init__(self, index: SubgraphIndex, operation: Operation, number: int, request: _Request) -> None:
        self._operation = operation
        self._number = number
        self._request = request
        self._guards = frozenset.intersection(*(step.guards or frozenset() for step in request.steps))
        self._selections = SelectionWriter(index, request.subgraph, self._guards)
        self._index = index

    def fetch(self) -> Fetch:
        """Return the fetch."""
        root = self._request.steps[0]
        calls: tuple[EntityCall, ...] = ()
        kind: OperationKind = "query" if root.position is not None else self._operation.kind
        if root.position is None or root.enters_root:
            body = self._selections.write(next(iter(root.branches.values())))
        else:
            calls, body = self._calls()
        variables = tuple(sorted(self._selections.variables))
        return Fetch(
            id=FetchId(self._number),
            subgraph=SubgraphName(self._request.subgraph),
            kind=kind,
            document=self._head(kind, calls, variables) + body,
            operation_name=None,
            variables=variables,
            calls=calls,
            after=tuple(FetchId(other) for other in sorted(self._request.after)),
            guards=tuple(sorted(self._guards, key=lambda one: (one.variable, one.expected))),
            at=root.position.path if root.position is not None and root.enters_root else (),
        )

    def _head(self, kind: str, calls: Sequence[EntityCall], variables: Sequence[str]) -> str:
        definitions = [f"${call.variable}:[_Any!]!" for call in calls]
        definitions += [f"${one.name}:{one.type}" for call in calls for one in call.contexts]
        types = {node.variable.name.value: node for node in self._operation.variable_definitions}
        for name in variables:
            node = types[name]
            default = f"={print_ast(node.default_value)}" if node.default_value else ""
            definitions.append(f"${name}:{print_ast(node.type)}{default}")
        if not definitions:
            return "" if kind == "query" else kind
        return f"{kind}({','.join(definitions)})"

    def _calls(self) -> tuple[tuple[EntityCall, ...], str]:
        merged: dict[int, list[Step]] = {}
        for step in self._request.steps:
            merged.setdefault(id(step.position), []).append(step)
        targets: dict[tuple[str, frozenset[Guard]], list[EntityTarget]] = {}
        for steps in merged.values():
            guards = frozenset.intersection(*(step.guards or frozenset() for step in steps)) - self._guards
            text = self._entities(steps)
            targets.setdefault((text, guards), []).append(_target(steps))
        single = len(targets) == 1
        calls: list[EntityCall] = []
        parts: list[str] = []
        for number, ((text, guards), places) in enumerate(targets.items()):
            key = "_entities" if single else f"_e{number}"
            variable = "representations" if single else f"r{number}"
            self._selections.variables.update(guard.variable for guard in guards)
            calls.append(EntityCall(key, variable, tuple(places), self._contexts()))
            alias = "" if single else f"{key}:"
            parts.append(f"{alias}_entities(representations:${variable}){write_guards(guards)}{text}")
        return tuple(calls), "{" + "".join(parts) + "}"

    def _contexts(self) -> tuple[ContextVariable, ...]:
        return tuple(
            ContextVariable(use.variable, use.type, use.reads)
            for step in self._request.steps
            for use in step.contexts.values()
        )

    def _entities(self, steps: Sequence[Step]) -> str:
        levels: dict[str, Level] = {}
        for step in steps:
            for name, level in step.branches.items():
                known = levels.setdefault(name, Level(name))
                known.typename |= level.typename
                for condition, items in level.items.items():
                    known.items.setdefault(condition, {}).update(items)
        return (
            "{"
            + "".join(f"...on {name}{self._selections.write(level)}" for name, level in sorted(levels.items()))
            + "}"
        )


def _target(steps: Sequence[Step]) -> EntityTarget:
    position = steps[0].position
    selections: dict[str, list[RequiredSelection]] = {}
    typenames: dict[str, str] = {}
    for step in steps:
        for type_name, requirement in step.requirements.items():
            typenames[type_name] = requirement.typename
            known = selections.setdefault(type_name, [])
            known.extend(item for item in requirement.selections if item not in known)
    groups: dict[tuple[str | None, tuple[RequiredSelection, ...]], list[str]] = {}
    for type_name, found in selections.items():
        typename = None if typenames[type_name] == type_name else typenames[type_name]
        groups.setdefault((typename, tuple(found)), []).append(type_name)
    representations = tuple(
        Representation(tuple(sorted({*types, *([typename] if typename else [])})), typename, found)
        for (typename, found), types in groups.items()
    )
    return EntityTarget(position.path if position else (), representations)


def _output(fields: Sequence[SelectedField], position: Position, draft: Draft) -> tuple[OutputField, ...]:
    found = []
    for selected in fields:
        key = draft.keys[id(selected), id(position)]
        below: tuple[OutputField, ...] = ()
        if selected.target is not None:
            below = _output(selected.fields, position.children[key, selected.on & position.types], draft)
        on = None if selected.on >= position.types else tuple(sorted(selected.on & position.types))
        found.append(
            OutputField(
                key=selected.key,
                name=selected.name,
                source=key,
                type=print_ast(selected.type),
                on=on,
                guards=selected.guards,
                fields=below,
                deferred=tuple(sorted(selected.deferred)),
            )
        )
    return tuple(found)


class _Tree:
    """Arranges the requests as a tree of stages, each deferred part by itself."""

    def __init__(self, operation: Operation, fetches: Sequence[Fetch], requests: Sequence[_Request]) -> None:
        self._operation = operation
        self._fetches = fetches
        self._stages: dict[int | None, dict[int, list[PlanNode]]] = {}
        for fetch, request in zip(fetches, requests, strict=True):
            self._stages.setdefault(request.part, {}).setdefault(request.stage, []).append(_node(fetch))
        self._parts = {part for field in operation.fields for one in field.walk() for part in one.deferred}

    def root(self) -> PlanNode | None:
        """Return the tree, None when nothing is fetched."""
        if not self._fetches:
            return None
        if self._operation.kind == "subscription":
            rest = self._rounds(None)[1:]
            return SubscriptionNode(FetchNode(self._fetches[0].id), _sequence(rest) if rest else None)
        return self._part(None)

    def _part(self, part: int | None) -> PlanNode | None:
        rounds = self._rounds(part)
        own = _sequence(rounds) if rounds else None
        inner = tuple(
            (number, self._part(number))
            for number, fragment in enumerate(self._operation.deferred)
            if fragment.parent == part and number in self._parts
        )
        return DeferNode(own, inner) if inner else own

    def _rounds(self, part: int | None) -> list[PlanNode]:
        return [_parallel(nodes) for _, nodes in sorted(self._stages.get(part, {}).items())]


def _node(fetch: Fetch) -> PlanNode:
    node: PlanNode = FetchNode(fetch.id)
    if fetch.at:
        node = FlattenNode(fetch.at, node)
    if len(fetch.calls) == 1 and len(fetch.calls[0].targets) == 1:
        node = FlattenNode(fetch.calls[0].targets[0].path, node)
    for guard in reversed(fetch.guards):
        node = ConditionNode(guard, node)
    return node


def _parallel(nodes: Sequence[PlanNode]) -> PlanNode:
    return nodes[0] if len(nodes) == 1 else ParallelNode(tuple(nodes))


def _sequence(nodes: Sequence[PlanNode]) -> PlanNode:
    return nodes[0] if len(nodes) == 1 else SequenceNode(tuple(nodes))


class _Uses(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[str, None] = {}
        self.fragments: dict[str, None] = {}

    def enter_variable(self, node: _VariableNode, *_: object) -> None:
        self.variables[node.name.value] = None

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.fragments[node.name.value] = None


def _introspection(operation: Operation) -> str | None:
    """Return the introspection part of an operation as a document of its own, None when there is none."""
    if not operation.introspection:
        return None
    definitions = {
        node.name.value: node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    uses = _Uses()
    for node in operation.introspection:
        visit(node, uses)
    done: dict[str, str] = {}
    while pending := [name for name in uses.fragments if name not in done]:
        for name in pending:
            done[name] = print_ast(definitions[name])
            visit(definitions[name], uses)
    variables = [
        print_ast(node) for node in operation.variable_definitions if node.variable.name.value in uses.variables
    ]
    head = f"query({','.join(variables)})" if variables else ""
    body = " ".join(print_ast(node) for node in operation.introspection)
    return "\n".join([f"{head}{{{body}}}", *done.values()])
