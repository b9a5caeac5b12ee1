"""Kill -9 everywhere in all processes but P8: each thing is done once in every system, nothing leaks, all end."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.support.databases import PostgresServer, Template
from tests.support.mortal_scenarios import SCENARIOS
from tests.support.nursery import Died, Nursery
from tests.support.process_world import process_world

RECOVERY_S = 30.0
"""A killed process has ended this long after its engine is back, on a machine that is busy killing others."""
SURE = 0.9
"""Runs pass a few moments more or fewer than a clean one; at most this part of them is missed."""
KILLED = "programs killed"
"""Property of a test's report; ``conftest.py`` prints the sum."""
MAX_MOMENTS = 500
"""A clean run passes fewer moments than this."""
EVERY = 3
"""Each third program is killed once more while it recovers."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


Fresh = Callable[[str], AbstractContextManager[str]]
"""Makes a database by name, and drops it in the end; it yields the database's URL."""


def _files(url: str, folder: Path) -> Fresh:
    template = Path(url.removeprefix("sqlite+aiosqlite:///"))

    @contextmanager
    def fresh(name: str) -> Iterator[str]:
        copy = folder / name
        copy.mkdir()
        for suffix in ("", "-processes"):
            shutil.copy(template.with_name(f"{template.stem}{suffix}.db"), copy / f"crossdock{suffix}.db")
        yield f"sqlite+aiosqlite:///{copy / 'crossdock.db'}"
        shutil.rmtree(copy)

    return fresh


def _databases(server: PostgresServer, template: str) -> Fresh:
    @contextmanager
    def fresh(name: str) -> Iterator[str]:
        copy = server.create(template)
        yield server.url(copy)
        server.drop(copy)

    return fresh


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, nursery: Nursery, tmp_path: Path) -> Iterator[Fresh]:
    """Copies of a database in which an engine was open once: it takes longest to make its tables."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        carry(nursery, url, tmp_path / "warm.db", None, None).told()
        yield _files(url, tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    migrated: Template = request.getfixturevalue("postgres_template")
    warm = server.create(migrated.name)
    carry(nursery, server.url(warm), tmp_path / "warm.db", None, None).told()
    yield _databases(server, warm)
    server.drop(warm)


def carry(nursery: Nursery, url: str, kept: Path, scenario: str | None, kill: int | str | None) -> Died:
    """Let a program carry a scenario, or die at a moment of it."""
    return nursery.run({"scenario": scenario, "database": url, "kept": str(kept), "kill": kill})


def survive(nursery: Nursery, scenario: str, url: str, kept: Path, kills: Sequence[int | str]) -> int:
    """Kill programs at these moments, let the last one live, and check the end; return how many died."""
    ends = [carry(nursery, url, kept, scenario, kill) for kill in kills]
    for end in ends:
        assert end.status in (0, -signal.SIGKILL), end.output
    told = carry(nursery, url, kept, scenario, None).told()
    assert set(told["states"]) == {SCENARIOS[scenario].state.value}
    assert told["took"] < RECOVERY_S
    asyncio.run(_check(scenario, url, kept))
    return sum(end.status != 0 for end in ends)


async def _check(scenario: str, url: str, kept: Path) -> None:
    async with process_world(url, kept=kept) as world:
        assert await world.held() == {}, "a reservation has leaked"
        await SCENARIOS[scenario].check(world)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "moment"),
    [
        ("onboarding", "answered create_customer"),
        ("onboarding in vain", "kept undo:activate_finance"),
        ("order", "answered create_order"),
        ("order", "committed reserve"),
        ("held order", "kept wait:credit"),
        ("refused order", "committed settle reservations"),
        ("fulfilment", "answered tender"),
        ("invoice", "committed append events"),
        ("corrected invoice", "answered credit_invoice"),
        ("corrected invoice", "answered bill_anew"),
        ("return", "answered credit_return"),
        ("change", "answered change_order"),
        ("substitution", "committed reserve"),
        ("decided split", "answered release"),
        ("cancellation", "answered cancel_order"),
        ("merge", "answered merge_customers"),
        ("merge", "committed carry over"),
        ("merge in vain", "answered take_merge_back"),
        ("account change", "answered change_customer"),
        ("order in line", "committed leave line"),
        ("replacement", "answered create_order"),
        ("silent shipment", "kept note"),
        ("cancellation of what is parked", "committed settle reservations"),
        ("ordered quote", "committed save quote"),
        ("quote ordered in vain", "kept undo:receive"),
    ],
)
def test_a_killed_program_is_made_up_for(
    scenario: str, moment: str, nursery: Nursery, sqlite_url: str, tmp_path: Path
) -> None:
    assert survive(nursery, scenario, sqlite_url, tmp_path / "kept.db", [moment]) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_program_may_be_killed_anywhere(
    scenario: str,
    nursery: Nursery,
    fresh: Fresh,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    random, died = Random(scenario), 0
    with fresh("clean") as url:
        clean = carry(nursery, url, tmp_path / "clean.db", scenario, None).told()["moments"]
    assert 0 < len(clean) < MAX_MOMENTS
    for moment in range(1, len(clean) + 1):
        again = [random.randint(1, len(clean))] if moment % EVERY == 0 else []
        with fresh(f"at-{moment}") as url:
            try:
                died += survive(nursery, scenario, url, tmp_path / f"kept-{moment}.db", [moment, *again])
            except AssertionError as error:
                error.add_note(f"killed at moment {moment} ({clean[moment - 1]}), again at {again}")
                raise
    sys.stdout.write(f"{request.node.name}: {died} {KILLED}, at each of {len(clean)} moments\n")
    record_property(KILLED, died)
    assert died >= len(clean) * SURE
