"""From steps to the frozen plan: requests, their dependencies, the printable tree and the shape of the answer.

1. ``join_steps`` gives every step its stage; entity steps of one subgraph and stage become one request, and streamed
   lists split those that ask about their items.
2. Within a request, places that select the same share one ``_entities`` call, others get calls under aliases.
3. The dependencies of a request are those of its steps, nothing more: stages order the printed tree only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphql import print_ast

from gateway.graph import SubgraphIndex
from gateway.operation.document import Operation, SelectedField
from gateway.plan.nodes import (
    ContextRead,
    ContextVariable,
    DeferredPart,
    EntityCall,
    EntityTarget,
    Fetch,
    FetchId,
    Guard,
    OperationKind,
    OutputField,
    QueryPlan,
    Representation,
    RequiredSelection,
    SubgraphName,
)
from gateway.planner.arrange import arrange
from gateway.planner.draft import Draft
from gateway.planner.introspection import write_introspection
from gateway.planner.optimize.join_steps import join_steps
from gateway.planner.requests import Request, gather
from gateway.planner.steps import Level, Position, Step
from gateway.planner.streams import split_by_streams
from gateway.planner.write import SelectionWriter, write_guards

__all__ = ["schedule"]


def schedule(index: SubgraphIndex, operation: Operation, draft: Draft) -> QueryPlan:
    """Return the plan of a draft."""
    stages = join_steps(draft.steps)
    requests = split_by_streams(gather(draft.steps, stages), operation.fields, draft, operation.deferred)
    numbers = {request: FetchId(number) for number, request in enumerate(requests)}
    fetches = tuple(_Writer(index, operation, numbers, request).fetch() for request in requests)
    return QueryPlan(
        kind=operation.kind,
        fetches=fetches,
        output=_output(operation.fields, draft.root, draft),
        root_type=operation.root_type,
        introspection=write_introspection(operation),
        deferred=tuple(
            DeferredPart(
                part.label,
                part.parent,
                tuple(fetch.id for fetch, request in zip(fetches, requests, strict=True) if request.part == number),
                part.initial_count,
            )
            for number, part in enumerate(operation.deferred)
        ),
        root=arrange(operation, fetches, [(request.part, request.stage) for request in requests]),
    )


class _Writer:
    """Writes one request as a fetch."""

    def __init__(
        self, index: SubgraphIndex, operation: Operation, numbers: Mapping[Request, FetchId], request: Request
    ) -> None:
        self._operation = operation
        self._numbers = numbers
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
            id=self._numbers[self._request],
            subgraph=SubgraphName(self._request.subgraph),
            kind=kind,
            document=self._head(kind, calls, variables) + body,
            operation_name=None,
            variables=variables,
            calls=calls,
            after=tuple(sorted(self._numbers[other] for other in self._request.after)),
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
            targets.setdefault((text, guards), []).append(_target(steps, self._request))
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
            ContextVariable(use.variable, use.type, tuple(self._read(step, read) for read in use.reads))
            for step in self._request.steps
            for use in step.contexts.values()
        )

    def _read(self, step: Step, read: ContextRead) -> ContextRead:
        if step.position is None or not self._request.items:
            return read
        return replace(read, path=self._request.path(step.position)[: len(read.path)])

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


def _target(steps: Sequence[Step], request: Request) -> EntityTarget:
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
    return EntityTarget(request.path(position) if position else (), representations)


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
                stream=selected.stream,
            )
        )
    return tuple(found)
