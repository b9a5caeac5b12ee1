"""Compositions kept as files: what each subgraph says, what comes out, and what is remarked on.

Run with ``CROSSDOCK_WRITE_GOLDEN=1`` to write the outcome anew; review the difference like code.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphql import build_schema, lexicographic_sort_schema, print_schema

from gateway.composition import Composition, Diagnostic, SubgraphSource, compose
from gateway.composition.codes import Fault, Hint
from gateway.supergraph import parse_supergraph

CASES = sorted(path.parent for path in Path(__file__).parent.glob("composition/*/case.md"))
IS_WRITING = os.environ.get("CROSSDOCK_WRITE_GOLDEN") == "1"


def composed(case: Path) -> Composition:
    return compose(
        [
            SubgraphSource(path.stem, f"https://{path.stem}.example/graphql", path.read_text(encoding="utf-8"))
            for path in sorted(case.glob("subgraphs/*.graphql"))
        ]
    )


def told(one: Diagnostic) -> str:
    return f"{one}\n    on {one.coordinate or 'the whole'} in {', '.join(one.subgraphs) or 'no subgraph'}\n"


def outcome(composition: Composition) -> dict[str, str | None]:
    return {
        "diagnostics.txt": "".join(told(one) for one in (*composition.errors, *composition.hints)),
        "supergraph.graphql": composition.supergraph,
        "api.graphql": f"{composition.api_schema}\n" if composition.api_schema is not None else None,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_outcome_is_the_one_kept(case: Path) -> None:
    for name, text in outcome(composed(case)).items():
        path = case / name
        if IS_WRITING and text is not None:
            path.write_text(text, encoding="utf-8")
        assert (path.read_text(encoding="utf-8") if path.exists() else None) == text, name


@pytest.mark.parametrize(
    "case", [case for case in CASES if (case / "supergraph.graphql").exists()], ids=lambda path: path.name
)
def test_a_supergraph_that_was_kept_is_read_and_shows_the_same_schema(case: Path) -> None:
    supergraph = parse_supergraph((case / "supergraph.graphql").read_text(encoding="utf-8"))

    kept = build_schema((case / "api.graphql").read_text(encoding="utf-8"))
    assert print_schema(lexicographic_sort_schema(supergraph.api_schema)) == print_schema(
        lexicographic_sort_schema(kept)
    )
    assert set(supergraph.subgraphs) == {path.stem for path in case.glob("subgraphs/*.graphql")}


@pytest.mark.parametrize("code", [*Fault, *Hint], ids=lambda code: f"{type(code).__name__}-{code}")
def test_every_code_has_a_case(code: Fault | Hint) -> None:
    severity = "error" if isinstance(code, Fault) else "hint"
    lines = [line for case in CASES for line in (case / "diagnostics.txt").read_text(encoding="utf-8").splitlines()]

    assert any(line.startswith(f"{severity} {code}: ") for line in lines)


def test_both_outcomes_are_among_the_cases() -> None:
    assert {composed(case).ok for case in CASES} == {True, False}
