"""Kill -9 around every step of onboarding: a customer everywhere or nowhere, and everything ends."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from processes.onboarding import CUSTOMER_ONBOARDING
from schema.enums import OnboardingStatus, ProcessState
from tests.support.process_world import process_world

ROOT = Path(__file__).parents[2]
RECOVERY_S = 5.0
"""A killed process has ended this long after its engine is back."""

STEPS = [step.name for step in CUSTOMER_ONBOARDING]
MOMENTS = ("start", "done", "kept")
CALLS = ("before create_customer", "after create_customer", "after open_billing", "after upsert_account")
UNDOING = [f"undo:{step.name}" for step in CUSTOMER_ONBOARDING if step.undo is not None]


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
    Place(strike="after create_customer"),
    Place(kill=("undo:activate_finance", "done"), refuse=True),
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
        [sys.executable, "-m", "tests.support.onboarding_child", json.dumps(plan)],
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
        identifier = told["onboarding"]
        onboarding = (await world.use.onboardings.onboardings([identifier]))[identifier]
        types = [name for name in await world.event_types(identifier) if name != "account.onboarding.checked"]
        once = [name for name in types if name != "process.step.compensated"]
        assert len(once) == len(set(once)), "something was told twice"
        account_id = onboarding.account_id
        assert world.kept.keys("customer") == world.kept.keys("account") == [account_id]
        if place.refuse:
            assert (told["state"], onboarding.status) == (ProcessState.FAILED, OnboardingStatus.FAILED_COMPENSATED)
            assert (world.kept.all("block"), world.kept.all("account status")) == (["All"], ["PROSPECT"])
        else:
            assert (told["state"], onboarding.status) == (ProcessState.COMPLETED, OnboardingStatus.ACTIVE)
            assert (world.kept.all("block"), world.kept.all("account status")) == ([""], ["ACTIVE"])


@pytest.mark.parametrize("place", FEW, ids=str)
async def test_a_killed_program_leaves_a_customer_everywhere_or_nowhere(
    place: Place, sqlite_url: str, tmp_path: Path
) -> None:
    await check(place, sqlite_url, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", ALL, ids=str)
async def test_a_program_may_be_killed_anywhere(place: Place, database_url: str, tmp_path: Path) -> None:
    await check(place, database_url, tmp_path)
