"""The composition cases: accept or refuse, error codes, API schema; hints apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import build_schema, lexicographic_sort_schema, print_schema

from gateway.composition import SubgraphSource, compose
from tests.support.shared_suites import shared

FOLDER = shared("composition")
CASES = sorted(path.parent for path in FOLDER.glob("cases/*/case.json"))


def _agrees(folder: Path) -> bool:
    case = json.loads((folder / "case.json").read_text())
    wanted = json.loads((folder / "expected.json").read_text())
    found = compose([SubgraphSource(one["name"], one["url"], one["sdl"]) for one in case["subgraphs"]])
    same = found.ok == wanted["ok"] and {error.code for error in found.errors} == set(wanted["error_codes"] or ())
    if same and found.ok:
        same = _normal(found.api_schema or "") == _normal(wanted["api_schema"])
    return same


def _normal(sdl: str) -> str:
    return print_schema(lexicographic_sort_schema(build_schema(sdl, assume_valid=True)))


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_composition_agrees(folder: Path) -> None:
    assert _agrees(folder)


def test_hints_agree_in_at_least_95_percent() -> None:
    equal = total = 0
    for folder in CASES:
        case = json.loads((folder / "case.json").read_text())
        wanted = json.loads((folder / "expected.json").read_text())
        if not wanted["ok"]:
            continue
        found = compose([SubgraphSource(one["name"], one["url"], one["sdl"]) for one in case["subgraphs"]])
        if found.ok:
            total += 1
            equal += {hint.code for hint in found.hints} == set(wanted["hint_codes"] or ())
    assert equal >= 0.95 * total
