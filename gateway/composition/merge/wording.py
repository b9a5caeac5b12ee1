"""How names, field sets and descriptions are written in the supergraph."""

from __future__ import annotations

from collections import Counter

from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import Applied, Subgraph

__all__ = ["field_set_text", "graph_name", "merge_description"]


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


def merge_description(
    coordinate: str, found: list[tuple[Subgraph, str | None]], diagnostics: Diagnostics
) -> str | None:
    """Return the description that most subgraphs give; the first by subgraph name among equals."""
    given = [text for _, text in found if text]
    if not given:
        return None
    if len(set(given)) > 1:
        diagnostics.hint(
            "INCONSISTENT_DESCRIPTION",
            f"{coordinate} has different descriptions",
            coordinate=coordinate,
            at=[(subgraph.name, None) for subgraph, text in found if text],
        )
    return Counter(given).most_common(1)[0][0]
