"""Plans against the counts of two known planners: never deeper, never more fetches, refused where there is no plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.operation import parse_operation
from gateway.plan import check_plan, to_json
from gateway.planner import Planner
from gateway.supergraph import parse_supergraph
from tests.support.shared_suites import shared

FOLDER = shared("plans")
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "plans.json").read_text())
PLANNERS: dict[str, Planner] = {}


def _planner(case: str) -> Planner:
    if case not in PLANNERS:
        PLANNERS[case] = Planner(parse_supergraph((FOLDER / "supergraphs" / f"{case}.graphql").read_text()))
    return PLANNERS[case]


def _measure(node: dict[str, Any] | None) -> tuple[int, int]:
    """Return (fetches, depth) with every condition taken."""
    if node is None:
        return 0, 0
    kind = node["kind"]
    if kind == "Fetch":
        return 1, 1
    below = list(node.get("nodes") or [])
    below += [node[name] for name in ("node", "primary", "rest", "ifClause", "elseClause") if node.get(name)]
    parts = [_measure(one) for one in below]
    deepest = sum if kind in {"Sequence", "Subscription"} else max
    return sum(fetches for fetches, _ in parts), deepest([depth for _, depth in parts] or [0])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['case']}:{entry['operation_id']}")
def test_the_plan_is_sound_and_at_least_as_good(entry: dict[str, Any]) -> None:
    planner = _planner(entry["case"])
    best = entry["best"] or {}
    if best.get("fetches") is None:
        with pytest.raises(GatewayError):
            planner.plan(parse_operation(planner.supergraph, entry["operation"]))
        return
    plan = planner.plan(parse_operation(planner.supergraph, entry["operation"]))
    check_plan(plan)
    fetches, depth = _measure(to_json(plan)["node"])

    assert depth <= best["depth"]
    assert fetches <= best["fetches"]
