"""The dashboard and the page ask for metrics that exist, and for all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.e2e.gateway.test_gateway import IN_PROCESS, http

ROOT = Path(__file__).parents[4]
_PARTS = re.compile(r"_(total|count|bucket|sum|created)$")


async def names() -> set[str]:
    async with http(IN_PROCESS.with_settings(telemetry={"metrics": True})) as client:
        await client.post("/graphql", json={"query": "{ me { name } }"})
        page = (await client.get("/metrics")).text
    return {line.split(" ")[2] for line in page.splitlines() if line.startswith("# TYPE")} - {""}


async def test_the_dashboard_shows_every_metric():
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "gateway.json").read_text(encoding="utf-8"))
    asked = {
        _PARTS.sub("", name)
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"gateway_\w+", target["expr"])
    }
    assert asked == {_PARTS.sub("", name) for name in await names()}


async def test_the_page_names_every_metric():
    page = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
    told = {_PARTS.sub("", name) for name in re.findall(r"`(gateway_\w+)", page)}
    assert told == {_PARTS.sub("", name) for name in await names()}
