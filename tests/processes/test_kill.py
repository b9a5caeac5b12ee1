"""Kill -9 at the boundaries of every step of order submission: one document per key, nothing leaks, everything ends."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from processes.order_submit import ORDER_SUBMIT
from schema.enums import OrderStatus, ProcessState
from schema.events.envelope import EventFilter
from tests.support.process_world import process_world

ROOT = Path(__file__).parents[2]
RECOVERY_S = 5.0
"""A killed process has ended this long after its engine is back."""

STEPS = [step.name for step in ORDER_SUBMIT]
MOMENTS = ("start", "done", "kept")
CALLS = ("before create_order", "after create_order", "after allocate", "after release", "after mirror_order")
UNDOING = ["undo:create", "undo:reserve", "undo:receive"]


@dataclass(frozen=True)
class Place:
    """Where the program dies: at a moment of a step or within a call."""

    kill: tuple[str, str] | None = None
    strike: str | None = None
    refuse: bool = False

    def __str__(self) -> str:
        where = f"{self.kill[0]}-{self.kill[1]}" if self.kill else str(self.strike).replace(" ", "-")
        return where + ("-refused" if self.refuse else "")


FEW = [
    Place(strike="after create_order"),
    Place(kill=("undo:reserve", "done"), refuse=True),
]
ALL = [
    *(Place(kill=(step, moment)) for step in STEPS for moment in MOMENTS),
    *(Place(strike=call) for call in CALLS),
    *(Place(kill=(step, moment), refuse=True) for step in UNDOING for moment in MOMENTS),
]


def run(place: Place | None, database: str, folder: Path, *, refuse: bool) -> subprocess.CompletedProcess[str]:
    plan = {
        "database": database,
        "kept": str(folder / "kept.db"),
        "kill": place.kill if place else None,
        "strike": {place.strike: "kill"} if place and place.strike else {},
        "refuse": refuse,
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.support.process_child", json.dumps(plan)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def check(place: Place, database: str, folder: Path) -> None:
    died = await asyncio.to_thread(run, place, database, folder, refuse=place.refuse)
    assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
    lived = await asyncio.to_thread(run, None, database, folder, refuse=place.refuse)
    assert lived.returncode == 0, lived.stderr
    told = json.loads(lived.stdout.splitlines()[-1])
    assert told["replayed"]
    assert told["took"] < RECOVERY_S
    async with process_world(database, kept=folder / "kept.db") as world:
        assert await world.held() == {}
        received = await world.use.events.read(EventFilter(types=("order.received",)), None, 10)
        assert len(received) == 1
        order = await world.order(received[0].event.subject)
        types = [name for name in await world.event_types(order.id) if name != "process.step.compensated"]
        assert len(types) == len(set(types)), "something was told twice"
        if place.refuse:
            assert (told["state"], order.status) == (ProcessState.FAILED.value, OrderStatus.REJECTED)
            assert world.erp.documents() == []
            return
        assert (told["state"], order.status) == (ProcessState.COMPLETED.value, OrderStatus.ACCEPTED)
        assert world.kept.keys("document") == [f"or:{order.id}:erp"]
        assert world.kept.keys("allocation") == [f"or:{order.id}:alloc:1"]
        assert world.kept.keys("release") == [f"or:{order.id}:rel:W01:1"]
        assert world.kept.all("mirror") == ["ACCEPTED"]


@pytest.mark.parametrize("place", FEW, ids=str)
async def test_a_killed_program_leaves_one_document_and_no_reservation(
    place: Place, sqlite_url: str, tmp_path: Path
) -> None:
    await check(place, sqlite_url, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", ALL, ids=str)
async def test_a_program_may_be_killed_anywhere(place: Place, database_url: str, tmp_path: Path) -> None:
    await check(place, database_url, tmp_path)
