"""Random sets of subgraphs, composed here and by an outside composer: the same verdict, the same API schema.

Differences that were looked into are listed in ``JUDGED`` with the reason why this composer keeps its answer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from graphql import build_schema, lexicographic_sort_schema, print_schema

from gateway.composition import SubgraphSource, compose
from tests.support.mutations import changed
from tests.support.random_graphs import RandomGraph
from tests.support.worlds import LINK

MODULES = "CROSSDOCK_NODE_MODULES"
PACKAGE = Path(os.environ.get(MODULES) or "/nowhere", "@theguild", "federation-composition").absolute()
REASON = (
    "Node is not installed"
    if shutil.which("node") is None
    else f"{MODULES} names no folder that has @theguild/federation-composition; see the README beside this test"
    if not PACKAGE.is_dir()
    else ""
)
SETS = 120
TIMEOUT_S = 120


class Difference(NamedTuple):
    """Two answers to one set of subgraphs; codes are None where the set composes."""

    sdl: str
    ours: set[str] | None
    theirs: set[str] | None


JUDGED: dict[str, Callable[[Difference], bool]] = {
    "a requirement of a field that moves under a label is met by one subgraph or the other, whatever the label": (
        lambda one: one.ours is None and one.theirs == {"SATISFIABILITY_ERROR"} and "label:" in one.sdl
    ),
    "a subgraph that only gives references still gives the fields of its own objects to a requirement": (
        lambda one: one.ours is None and one.theirs == {"SATISFIABILITY_ERROR"} and "resolvable: false" in one.sdl
    ),
    "an interface without implementations lacks none": (
        lambda one: one.theirs == {"INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE"} and "implements I" not in one.sdl
    ),
    "an interface that resolves a key needs implementations that do": (
        lambda one: one.ours == {"INTERFACE_KEY_NOT_ON_IMPLEMENTATION"} and "resolvable: false" in one.sdl
    ),
}


def answers_of(sets: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return what the outside composer makes of each set."""
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("compose.mjs"))],
        input=json.dumps(sets),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
        env={"PATH": os.environ["PATH"], MODULES: str(PACKAGE.parent.parent)},
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def normal(schema: str) -> str:
    return print_schema(lexicographic_sort_schema(build_schema(schema, assume_valid=True)))


@pytest.mark.skipif(bool(REASON), reason=REASON)
@pytest.mark.parametrize("is_changed", [False, True], ids=["sets that fit", "sets with one change"])
def test_both_composers_agree_but_for_what_was_judged(is_changed: bool) -> None:
    sets = []
    for seed in range(SETS):
        random = Random(seed)
        subgraphs = RandomGraph(random, nested_roots=False).subgraphs()
        if is_changed:
            subgraphs = changed(subgraphs, random)
        sets.append({name: LINK + sdl for name, sdl in subgraphs.items()})
    unjudged = []
    for subgraphs, theirs in zip(sets, answers_of(sets), strict=True):
        ours = compose([SubgraphSource(name, "", sdl) for name, sdl in subgraphs.items()])
        if theirs["ok"] is None:
            assert not ours.ok  # what makes the outside composer fail is no set of subgraphs
        elif ours.ok and theirs["ok"]:
            assert normal(ours.api_schema or "") == normal(theirs["schema"])
        elif ours.ok != theirs["ok"]:
            sdl = "\n".join(re.sub(r"extend schema.*\n", "", text) for text in subgraphs.values())
            codes = None if ours.ok else {error.code for error in ours.errors}
            difference = Difference(sdl, codes, None if theirs["ok"] else set(theirs["codes"]))
            if not any(applies(difference) for applies in JUDGED.values()):
                unjudged.append(difference)
    assert unjudged == []
