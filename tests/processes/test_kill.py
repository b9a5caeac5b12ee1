"""Kill -9 everywhere in P1 to P7: each thing is done once in every system, nothing leaks, and every process ends."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.databases import PostgresServer, Template
from tests.support.mortal_scenarios import SCENARIOS
from tests.support.nursery import Nursery
from tests.support.process_world import process_world

RECOVERY_S = 5.0
"""A killed process has ended this long after its engine is back, on a machine that has time for it."""
BUSY = 6
"""So much longer it may take where several programs are killed side by side."""
MAX_MOMENTS = 500
"""A clean run passes fewer moments than this."""
EVERY = 3
"""Each third program is killed once more while it recovers."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


class Databases:
    """Databases of one kind in which an engine was open once, one after the other."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self._nursery = nursery
        self._folder = folder

    async def warm(self, url: str) -> None:
        """Let an engine make its tables in a database."""
        await self.child(url, self._folder / "warm.db", None, None)

    async def child(self, url: str, kept: Path, scenario: str | None, kill: int | str | None) -> Any:
        plan = {"scenario": scenario, "database": url, "kept": str(kept), "kill": kill}
        return await asyncio.to_thread(self._nursery.run, plan)


@asynccontextmanager
async def copies(request: pytest.FixtureRequest, kind: str, children: Databases, folder: Path) -> AsyncIterator[Any]:
    """Yield a maker of fresh databases: an asynchronous context of a URL."""
    if kind == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        await children.warm(url)
        template = Path(url.removeprefix("sqlite+aiosqlite:///"))

        @asynccontextmanager
        async def file(name: str) -> AsyncIterator[str]:
            copy = folder / name
            copy.mkdir()
            for suffix in ("", "-processes"):
                shutil.copy(template.with_name(f"{template.stem}{suffix}.db"), copy / f"crossdock{suffix}.db")
            yield f"sqlite+aiosqlite:///{copy / 'crossdock.db'}"
            shutil.rmtree(copy)

        yield file
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    migrated: Template = request.getfixturevalue("postgres_template")
    warm = server.create(migrated.name)
    await children.warm(server.url(warm))

    @asynccontextmanager
    async def database(name: str) -> AsyncIterator[str]:
        copy = await asyncio.to_thread(server.create, warm)
        yield server.url(copy)
        await asyncio.to_thread(server.drop, copy)

    yield database
    server.drop(warm)


async def survive(
    children: Databases, scenario: str, url: str, folder: Path, kills: list[int | str], patience: int
) -> int:
    """Kill programs at these moments, let the last one live, and check the end; return how many died."""
    kept, died = folder / f"kept-{'-'.join(map(str, kills))}.db".replace(" ", "_"), 0
    for kill in kills:
        end = await children.child(url, kept, scenario, kill)
        assert end.status in (0, -signal.SIGKILL), end.output
        died += end.status != 0
    told = (await children.child(url, kept, scenario, None)).told()
    assert set(told["states"]) == {SCENARIOS[scenario].state.value}
    assert told["took"] < RECOVERY_S * patience
    async with process_world(url, kept=kept) as world:
        assert await world.held() == {}, "a reservation has leaked"
        await SCENARIOS[scenario].check(world)
    return died


@pytest.mark.parametrize(
    ("scenario", "moment"),
    [
        ("onboarding", "answered create_customer"),
        ("onboarding in vain", "kept undo:activate_finance"),
        ("order", "answered create_order"),
        ("order", "committed reserve"),
        ("refused order", "committed settle reservations"),
        ("fulfilment", "answered tender"),
        ("invoice", "committed append events"),
        ("return", "answered credit_return"),
        ("change", "answered change_order"),
        ("cancellation", "answered cancel_order"),
    ],
)
async def test_a_killed_program_is_made_up_for(
    scenario: str, moment: str, nursery: Nursery, sqlite_url: str, tmp_path: Path
) -> None:
    children = Databases(nursery, tmp_path)
    assert await survive(children, scenario, sqlite_url, tmp_path, [moment], BUSY) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_program_may_be_killed_anywhere(
    scenario: str, kind: str, nursery: Nursery, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    children, random, died = Databases(nursery, tmp_path), Random(scenario), 0
    async with AsyncExitStack() as stack:
        fresh = await stack.enter_async_context(copies(request, kind, children, tmp_path))
        async with fresh("clean") as url:
            clean = (await children.child(url, tmp_path / "clean.db", scenario, None)).told()["moments"]
        assert 0 < len(clean) < MAX_MOMENTS
        for moment in range(1, len(clean) + 1):
            again = [random.randint(1, len(clean))] if moment % EVERY == 0 else []
            async with fresh(f"at-{moment}") as url:
                try:
                    died += await survive(children, scenario, url, tmp_path, [moment, *again], BUSY)
                except AssertionError as error:
                    error.add_note(f"killed at moment {moment} ({clean[moment - 1]}), again at {again}")
                    raise
    sys.stdout.write(f"{scenario} on {kind}: {died} programs killed, at each of {len(clean)} moments\n")
    assert died >= len(clean)
