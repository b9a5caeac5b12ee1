"""Tiny constructors of query plans, so that a test shows only what it is about."""

from __future__ import annotations

from gateway.plan.nodes import (
    EntityCall,
    EntityTarget,
    Fetch,
    FetchId,
    FieldStep,
    Guard,
    ListStep,
    OutputField,
    Path,
    QueryPlan,
    Representation,
    RequiredField,
    SubgraphName,
    TypeStep,
)


def path(text: str) -> Path:
    """Return the path of a text such as ``users.@.pet|[Cat,Dog]``."""
    steps: list[FieldStep | ListStep | TypeStep] = []
    for part in filter(None, text.replace("|[", ".|[").split(".")):
        if part == "@":
            steps.append(ListStep())
        elif part.startswith("|["):
            steps.append(TypeStep(tuple(sorted(part[2:-1].split(",")))))
        else:
            steps.append(FieldStep(part))
    return tuple(steps)


def rep(typename: str, *keys: str, sent: str | None = None) -> Representation:
    return Representation((typename,), sent, tuple(RequiredField(key, key) for key in keys))


def target(where: str, *representations: Representation) -> EntityTarget:
    return EntityTarget(path(where), representations)


def root(number: int, subgraph: str, document: str, **more: object) -> Fetch:
    values = {"kind": "query", "operation_name": None, "variables": (), "calls": (), "after": (), **more}
    return Fetch(FetchId(number), SubgraphName(subgraph), document=document, **values)  # type: ignore[arg-type]


def entities(number: int, subgraph: str, *targets: EntityTarget, after: tuple[int, ...], **more: object) -> Fetch:
    call = EntityCall("_entities", "representations", targets)
    document = "query($representations:[_Any!]!){_entities(representations:$representations){...}}"
    return root(number, subgraph, document, calls=(call,), after=after, **more)


def out(key: str, type_: str, *fields: OutputField, source: str | None = None, **more: object) -> OutputField:
    name = str(more.pop("name", key))
    return OutputField(key, name, source or key, type_, fields=fields, **more)  # type: ignore[arg-type]


def guard(variable: str, expected: bool = True) -> Guard:
    return Guard(variable, expected)


def plan(fetches: list[Fetch], output: list[OutputField], **more: object) -> QueryPlan:
    values = {"kind": "query", "root_type": "Query", **more}
    return QueryPlan(fetches=tuple(fetches), output=tuple(output), **values)  # type: ignore[arg-type]
