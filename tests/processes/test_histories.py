"""What an earlier release began ends under this one: its journals are read, and what it has done is not done again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes.engine_settings import EARLIER_VERSIONS, PROCESS_VERSION
from tests.support.histories import FOLDER, Places, restore
from tests.support.mortal_scenarios import SCENARIOS
from tests.support.nursery import Nursery
from tests.support.process_world import process_world

HISTORIES = sorted(FOLDER.glob("*/*.json"))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


async def _check(scenario: str, places: Places) -> None:
    async with process_world(places.url, kept=places.kept) as world:
        assert await world.held() == {}
        await SCENARIOS[scenario].check(world)


@pytest.mark.slow
@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_an_earlier_release_began_ends_rightly(path: Path, nursery: Nursery, tmp_path: Path) -> None:
    scenario = path.stem.replace("-", " ")
    places = restore(json.loads(path.read_text(encoding="utf-8")), tmp_path, nursery)
    told = nursery.run(places.plan(scenario, None)).told()
    assert set(told["states"]) == {SCENARIOS[scenario].state.value}
    asyncio.run(_check(scenario, places))


def test_every_process_has_a_history_in_every_release_that_is_kept() -> None:
    kept = {path.parent.name: {one.stem.replace("-", " ") for one in path.parent.glob("*.json")} for path in HISTORIES}
    known = {name for name, scenario in SCENARIOS.items() if not scenario.is_new}
    assert kept == {"step-by-step": known, "in-legs": known, "version-2": set(SCENARIOS)}


def test_every_version_that_goes_on_here_has_histories() -> None:
    kept = [json.loads(path.read_text(encoding="utf-8"))["journal"]["workflow_status"] for path in HISTORIES]
    assert {row["application_version"] for rows in kept for row in rows} == {*EARLIER_VERSIONS, PROCESS_VERSION}
