"""A composition as JSON for tools and as text for people."""

from __future__ import annotations

from typing import Any

from gateway.composition.compose import Composition
from gateway.composition.diagnostics import Diagnostic

__all__ = ["render_json", "render_text"]


def render_json(composition: Composition) -> dict[str, Any]:
    """Return the outcome as plain values."""
    return {
        "ok": composition.ok,
        "errors": [_plain(item) for item in composition.errors],
        "hints": [_plain(item) for item in composition.hints],
        "supergraph": composition.supergraph,
        "api_schema": composition.api_schema,
    }


def _plain(item: Diagnostic) -> dict[str, Any]:
    return {
        "code": item.code,
        "message": item.message,
        "subgraphs": list(item.subgraphs),
        "coordinate": item.coordinate,
        "locations": [{"subgraph": one.subgraph, "line": one.line, "column": one.column} for one in item.locations],
    }


def render_text(composition: Composition) -> str:
    """Return the findings for a terminal, one paragraph each, and a verdict."""
    lines = [_line("error", item) for item in composition.errors]
    lines += [_line("hint", item) for item in composition.hints]
    verdict = "composed" if composition.ok else "not composed"
    lines.append(f"{verdict}: {len(composition.errors)} errors, {len(composition.hints)} hints")
    return "\n".join(lines)


def _line(kind: str, item: Diagnostic) -> str:
    places = ", ".join(f"{one.subgraph}:{one.line}:{one.column}" for one in item.locations)
    return f"{kind} {item.code}: {item.message}" + (f"\n    at {places}" if places else "")
