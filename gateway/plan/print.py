"""Plans as text, in the form that other planners print too, so that plans can be set side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from graphql import parse, print_ast

from gateway.plan.nodes import (
    ConditionNode,
    DeferNode,
    Fetch,
    FetchNode,
    FieldStep,
    FlattenNode,
    ListStep,
    ParallelNode,
    Path,
    PlanNode,
    QueryPlan,
    RequiredField,
    RequiredSelection,
    SequenceNode,
    SliceStep,
    SubscriptionNode,
)

__all__ = ["path_text", "to_text"]


def to_text(plan: QueryPlan) -> str:
    """Return the plan's tree, two blanks per level.

    ``@`` is a list step, ``@[0:2]`` one to some of its items, ``|[Type]`` a type condition.
    """
    body = [] if plan.root is None else _lines(plan, plan.root)
    return "\n".join(["QueryPlan {", *_indent(body), "}"])


def path_text(path: Path) -> list[str]:
    """Return the steps of a path, type conditions attached to the step before them."""
    found: list[str] = []
    for step in path:
        if isinstance(step, FieldStep):
            found.append(step.key)
        elif isinstance(step, ListStep):
            found.append("@")
        elif isinstance(step, SliceStep):
            found.append(f"@[{step.start}:{'' if step.stop is None else step.stop}]")
        elif found:
            found[-1] += f"|[{','.join(step.types)}]"
        else:
            found.append(f"|[{','.join(step.types)}]")
    return found


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _block(head: str, nodes: Iterable[list[str]]) -> list[str]:
    inner = [line for lines in nodes for line in _indent(lines)]
    return [f"{head} {{", *inner, "},"]


def _lines(plan: QueryPlan, node: PlanNode) -> list[str]:
    match node:
        case FetchNode():
            return _fetch(plan.fetches[node.fetch])
        case FlattenNode():
            return _block(f'Flatten(path: "{".".join(path_text(node.path))}")', [_lines(plan, node.node)])
        case SequenceNode():
            return _block("Sequence", [_lines(plan, one) for one in node.nodes])
        case ParallelNode():
            return _block("Parallel", [_lines(plan, one) for one in node.nodes])
        case ConditionNode():
            name = "Include" if node.guard.expected else "Skip"
            return _block(f"{name}(if: ${node.guard.variable})", [_lines(plan, node.node)])
        case SubscriptionNode():
            rest = [_block("Rest", [_lines(plan, node.rest)])] if node.rest is not None else []
            return _block("Subscription", [_block("Primary", [_lines(plan, node.primary)]), *rest])
        case DeferNode():
            primary = [_lines(plan, node.primary)] if node.primary is not None else []
            parts = [
                _block(_deferred_head(plan, index), [_lines(plan, one)] if one is not None else [])
                for index, one in node.deferred
            ]
            return _block("Defer", [_block("Primary", primary), *parts])
        case _:
            assert_never(node)


def _deferred_head(plan: QueryPlan, index: int) -> str:
    part = plan.deferred[index]
    name = "Deferred" if part.initial_count is None else "Streamed"
    return name if part.label is None else f'{name}(label: "{part.label}")'


def _fetch(fetch: Fetch) -> list[str]:
    lines = [f'Fetch(service: "{fetch.subgraph}") {{']
    for call in fetch.calls:
        target = call.targets[0]
        lines.append("  {")
        for representation in target.representations:
            for name in representation.types:
                typename = representation.typename or name
                lines.append(f"    ... on {name} {{")
                lines.append("      __typename" if typename == name else f'      __typename: "{typename}"')
                lines.extend(_indent(_indent(_indent(_required(representation.selections)))))
                lines.append("    }")
        where = (
            "" if len(fetch.calls) == 1 else f" ({', '.join('.'.join(path_text(one.path)) for one in call.targets)})"
        )
        lines.append(f"  }} =>{where}")
        for context in call.contexts:
            places = " or ".join(".".join([*path_text(one.path), *one.keys]) for one in context.reads)
            lines.append(f"  ${context.name} = {places}")
    selection = print_ast(parse(fetch.document)).split("\n")
    lines.extend(_indent(selection))
    lines.append("},")
    return lines


def _required(selections: Iterable[RequiredSelection]) -> list[str]:
    lines: list[str] = []
    for one in selections:
        if isinstance(one, RequiredField):
            alias = one.name if one.name == one.source else f"{one.name}: {one.source}"
            if one.selections:
                lines += [f"{alias} {{", *_indent(_required(one.selections)), "}"]
            else:
                lines.append(alias)
        else:
            for name in one.types:
                lines += [f"... on {name} {{", *_indent(_required(one.selections)), "}"]
    return lines
