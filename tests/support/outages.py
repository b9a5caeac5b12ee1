"""Orders of three accounts while a system is out, in this program and in one that is killed.

``python -m tests.support.outages PLAN`` submits orders and dies in the middle of doing what they waited for. PLAN is
JSON: ``database``, ``kept`` (where systems keep what they have), ``orders`` (per account), and ``releases`` (it dies
when the warehouse system has taken so many of its releases and has not answered the last).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from processes.slots import SlotTimes
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from tests.support.fake_systems import Kept, Script, account
from tests.support.process_world import QUICK, REP, ProcessWorld, line, process_world, submission
from tests.support.rule_records import ship_to, stock, terms

__all__ = ["ACCOUNTS", "accepted", "all_wait", "come_back", "kept_of", "outage", "submit", "submit_all", "when"]

ACCOUNTS = ("acc_1", "acc_2", "acc_3")
WITHIN_S = 60.0
SOON = SlotTimes(beat_s=0.02, lost_s=0.3, look_s=0.05, vacant_s=0.5)

_BACK = "back"


class _OutUntilBack(set[SourceSystem]):
    """Systems that are out for every program until one says that they are back."""

    def __init__(self, kept: Kept, *systems: SourceSystem) -> None:
        super().__init__(systems)
        self._kept = kept

    def __contains__(self, system: object) -> bool:
        return super().__contains__(system) and not self._kept.all(_BACK, str(system))


@asynccontextmanager
async def outage(url: str, kept: Path, *systems: SourceSystem) -> AsyncIterator[tuple[ProcessWorld, ProcessEngine]]:
    """Open a world in which systems are out, and an engine."""
    async with process_world(url, now=None, kept=kept) as world:
        world.crm.known["acc_3"] = account("acc_3", "C-10044")
        world.erp.terms_by_account["acc_3"] = terms(account="acc_3")
        world.erp.places["shp_3"] = replace(ship_to(), id="shp_3", account_id="acc_3")
        world.wms.positions = [stock("1000")]
        world.script.down = _OutUntilBack(world.kept, *systems)
        async with ProcessEngine(EngineSettings(url, retries=QUICK, slot_times=SOON), world.use) as engine:
            yield world, engine


def come_back(world: ProcessWorld, *systems: SourceSystem) -> None:
    """Let systems answer again."""
    for system in systems:
        world.kept.put(_BACK, str(system), "")


async def submit(engine: ProcessEngine, account_id: str, key: str) -> str:
    """Submit an order and return its process as soon as it has ended or waits."""
    given = submission(line(1), account_id=account_id, ship_to_id=account_id.replace("acc", "shp"))
    started = await EngineStarter(engine).submit_order(given, key=key, principal=REP, wait_ms=30_000)
    assert started.process_id is not None, started.problems
    return started.process_id


async def submit_all(engine: ProcessEngine, each: int, name: str = "o") -> list[str]:
    """Submit so many orders of every account, one after the other in each, and return their processes."""

    async def one_after_the_other(account_id: str) -> list[str]:
        return [await submit(engine, account_id, f"{name}-{account_id}-{number}") for number in range(each)]

    found = await asyncio.gather(*(one_after_the_other(entry) for entry in ACCOUNTS))
    return [process_id for ids in found for process_id in ids]


async def when(world: ProcessWorld, processes: Sequence[str], holds: Callable[[list[ProcessState]], bool]) -> None:
    """Wait until the states of processes are as wanted."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = await world.use.process_log.processes(processes)
            if len(found) == len(processes) and holds([entry.state for entry in found.values()]):
                return
            await asyncio.sleep(0.01)


def all_wait(states: Sequence[ProcessState]) -> bool:
    """Return whether every process waits for a system."""
    return set(states) == {ProcessState.WAITING_SYSTEM}


async def accepted(world: ProcessWorld, account_id: str, type_: str = "order.accepted") -> list[str]:
    """Return the orders of an account in the order in which they were accepted, or something else was told of them."""
    told = await world.use.events.read(EventFilter(types=(type_,)), None, 1_000)
    return [stored.event.subject for stored in told if stored.event.account_id == account_id]


def kept_of(world: ProcessWorld, kind: str, orders: Sequence[str]) -> list[str]:
    """Return for which of these orders a system has kept something, in the order in which it came."""
    return [entry for key in world.kept.keys(kind) if (entry := key.split(":")[1]) in orders]


async def _live_and_die(plan: dict[str, Any]) -> None:
    leave, taken = Script.leave, list[str]()

    async def mortal(self: Script, operation: str) -> None:
        taken.append(operation)
        if taken.count("release") == plan["releases"]:
            os.kill(os.getpid(), signal.SIGKILL)
        await leave(self, operation)

    Script.leave = mortal  # type: ignore[method-assign]
    async with outage(plan["database"], Path(plan["kept"]), SourceSystem.WMS) as (_, engine):
        await submit_all(engine, plan["orders"], "mortal")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_live_and_die(json.loads(sys.argv[1])))
