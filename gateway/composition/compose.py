"""The phases of composition in their order; a phase with errors ends the work, all of its errors are reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import print_schema

from gateway.composition.contract import apply_contract
from gateway.composition.diagnostics import Diagnostic, Diagnostics
from gateway.composition.emit import emit
from gateway.composition.ingest import ingest
from gateway.composition.merge import merge
from gateway.composition.satisfiability import check_satisfiability
from gateway.composition.subgraph_set import Subgraph, SubgraphSource
from gateway.composition.validate import (
    check_api_schema,
    check_inaccessible,
    check_merged,
    check_rights,
    check_subgraph,
    check_subgraph_names,
)
from gateway.errors import CompositionError
from gateway.supergraph import parse_supergraph

__all__ = ["Composition", "compose", "compose_or_raise"]


@dataclass(frozen=True, slots=True)
class Composition:
    """Outcome of a composition; the texts are None when it failed."""

    ok: bool
    errors: tuple[Diagnostic, ...]
    hints: tuple[Diagnostic, ...]
    supergraph: str | None = None
    api_schema: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain values for tools."""
        return {
            "ok": self.ok,
            "errors": [item.to_json() for item in self.errors],
            "hints": [item.to_json() for item in self.hints],
            "supergraph": self.supergraph,
            "api_schema": self.api_schema,
        }


def compose(
    sources: Sequence[SubgraphSource], *, include_tags: Sequence[str] = (), exclude_tags: Sequence[str] = ()
) -> Composition:
    """Compose subgraphs into a supergraph.

    1. Read each subgraph and check it alone. 2. Merge. 3. Check the merged schema, then rights, then what is hidden.
    4. Check that every field that a client can ask for can be resolved. The order of ``sources`` has no influence.

    Tags make a contract variant: with ``include_tags`` only tagged elements are shown, ``exclude_tags`` hides.

    Returns:
        The supergraph with hints, or every error of the phase that failed. Never raises for what is in the SDL.
    """
    diagnostics = Diagnostics()
    try:
        text, api_schema = _compose(sources, include_tags, exclude_tags, diagnostics)
    except _PhaseFailed:
        return Composition(ok=False, errors=diagnostics.errors, hints=())
    return Composition(ok=True, errors=(), hints=diagnostics.hints, supergraph=text, api_schema=api_schema)


class _PhaseFailed(Exception):
    """A phase reported errors; the later ones would build on sand."""


def _compose(
    sources: Sequence[SubgraphSource],
    include_tags: Sequence[str],
    exclude_tags: Sequence[str],
    diagnostics: Diagnostics,
) -> tuple[str, str]:
    subgraphs = _read(sources, diagnostics)
    _end_phase(diagnostics)
    schema = merge(subgraphs, diagnostics)
    _end_phase(diagnostics)
    apply_contract(schema, include_tags, exclude_tags)
    check_merged(schema, subgraphs, diagnostics)
    _end_phase(diagnostics)
    text = emit(schema, subgraphs)
    supergraph = parse_supergraph(text)
    check_rights(schema, supergraph, subgraphs, diagnostics)
    _end_phase(diagnostics)
    check_inaccessible(schema, subgraphs, diagnostics)
    _end_phase(diagnostics)
    check_api_schema(supergraph, diagnostics)
    _end_phase(diagnostics)
    check_satisfiability(supergraph, subgraphs, diagnostics)
    _end_phase(diagnostics)
    return text, print_schema(supergraph.api_schema)


def _end_phase(diagnostics: Diagnostics) -> None:
    if diagnostics.errors:
        raise _PhaseFailed


def compose_or_raise(sources: Sequence[SubgraphSource]) -> Composition:
    """Compose subgraphs.

    Raises:
        CompositionError: they do not compose; every error is in the message.
    """
    composition = compose(sources)
    if not composition.ok:
        raise CompositionError(f"{item.code}: {item.message}" for item in composition.errors)
    return composition


def _read(sources: Sequence[SubgraphSource], diagnostics: Diagnostics) -> list[Subgraph]:
    check_subgraph_names(sources, diagnostics)
    subgraphs = []
    for source in sorted(sources, key=lambda one: one.name):
        subgraph = ingest(source, diagnostics)
        if subgraph is not None:
            check_subgraph(subgraph, diagnostics)
            subgraphs.append(subgraph)
    return subgraphs
