"""Subgraph names must be present, distinct and printable as enum values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.subgraph_set import SubgraphSource

__all__ = ["check_subgraph_names"]


def check_subgraph_names(sources: Sequence[SubgraphSource], diagnostics: Diagnostics) -> None:
    """Report empty, reserved and duplicate names, and an empty list of subgraphs."""
    if not sources:
        diagnostics.error(Fault.NO_QUERIES, "there are no subgraphs to compose")
    for name, count in Counter(source.name for source in sources).items():
        if not name or name.startswith("_"):
            message = f"{name!r} cannot be a subgraph name; give it one that starts with a letter"
            diagnostics.error(Fault.INVALID_SUBGRAPH_NAME, message, at=[(name, None)])
        if count > 1:
            message = f"{count} subgraphs are called {name!r}; names must be distinct"
            diagnostics.error(Fault.INVALID_SUBGRAPH_NAME, message, at=[(name, None)])
