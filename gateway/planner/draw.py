"""Draw the graph of a schema, and the steps of a plan, in the language of Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from gateway.graph import SubgraphIndex
from gateway.planner.steps import Step

__all__ = ["draw_graph", "draw_steps"]


def draw_graph(index: SubgraphIndex) -> str:
    """Return a box of object types for each subgraph, and an arrow wherever one key leads from one to another."""
    lines = ["digraph supergraph {", "  rankdir=LR; node [shape=box];"]
    for number, name in enumerate(index.subgraph_names):
        lines.append(f"  subgraph cluster_{number} {{ label={_text(name)};")
        for type_name, fields in _types(index, name):
            lines.append(f"    {_node(name, type_name)} [label={_text(chr(10).join([type_name, *fields]))}];")
        lines.append("  }")
    for name in index.subgraph_names:
        for type_name, _ in _types(index, name):
            for other, level in sorted(index.reach(type_name, name).items()):
                if level == 1:
                    keys = " | ".join(_keys(index, other, type_name))
                    arrow = f"{_node(name, type_name)} -> {_node(other, type_name)}"
                    lines.append(f"  {arrow} [label={_text(keys)}];")
    return "\n".join([*lines, "}"])


def draw_steps(steps: Sequence[Step]) -> str:
    """Return a box for each step, and an arrow to each step that reads what it gives."""
    lines = ["digraph steps {", "  rankdir=LR; node [shape=box];"]
    for step in steps:
        text = f"{step.number}: {step.subgraph}\n{', '.join(sorted(step.branches))}"
        style = "" if step.part is None else " style=dashed"
        lines.append(f"  {step.number} [label={_text(text)}{style}];")
    for step in steps:
        lines += [f"  {number} -> {step.number};" for number in sorted(one.number for one in step.after)]
    return "\n".join([*lines, "}"])


def _types(index: SubgraphIndex, subgraph: str) -> Iterable[tuple[str, list[str]]]:
    """Yield the object types that a subgraph holds, with the fields that it resolves."""
    for type_ in index.supergraph.types.values():
        if type_.kind != "object":
            continue
        as_interface = any(index.is_interface_object(subgraph, one) for one in index.interfaces(type_.name))
        if subgraph in type_.joins or as_interface:
            yield type_.name, [field for field in type_.fields if index.local(subgraph, type_.name, field)]


def _keys(index: SubgraphIndex, subgraph: str, type_name: str) -> Iterable[str]:
    for key in index.keys(subgraph, type_name):
        fields = " ".join(field.name for field in key.fields)
        yield fields if key.typename == type_name else f"{key.typename}: {fields}"


def _node(subgraph: str, type_name: str) -> str:
    return _text(f"{subgraph}.{type_name}")


def _text(text: str) -> str:
    return json.dumps(text)
