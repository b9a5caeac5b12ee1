"""How names, field sets and descriptions are written in the supergraph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from gateway.composition.codes import Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import Applied, Definition, Member, Subgraph

__all__ = ["field_set_text", "graph_name", "merge_description", "presence"]


def field_set_text(applied: Applied) -> str:
    """Return a field set as one selection without braces around it."""
    fields = applied.arguments.get("fields", "")
    text = " ".join(str(item) for item in fields) if isinstance(fields, list) else str(fields)
    text = " ".join(text.split())
    return text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text


def graph_name(subgraph: str) -> str:
    """Return the enum value that stands for a subgraph."""
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in subgraph).upper()
    return name if not name[:1].isdigit() else f"_{name}"


def presence(here: Iterable[Subgraph], everywhere: Iterable[Subgraph]) -> str:
    """Return in which subgraphs an element is, and in which of all that could have it it is not."""
    names = [subgraph.name for subgraph in here]
    absent = [subgraph.name for subgraph in everywhere if subgraph.name not in names]
    return f"in {', '.join(names)} but not in {', '.join(absent)}"


def merge_description(
    coordinate: str, found: Sequence[tuple[Subgraph, Definition | Member]], diagnostics: Diagnostics
) -> str | None:
    """Return the description that most subgraphs give; the first by subgraph name among equals."""
    given = [item.description for _, item in found if item.description]
    if not given:
        return None
    kept = Counter(given).most_common(1)[0][0]
    if len(set(given)) > 1:
        source = next(subgraph.name for subgraph, item in found if item.description == kept)
        diagnostics.hint(
            Hint.INCONSISTENT_DESCRIPTION,
            f"{coordinate} has different descriptions; that of {source} is kept",
            coordinate=coordinate,
            at=[(subgraph.name, item.node) for subgraph, item in found if item.description],
        )
    return kept
