"""A program that carries one order and can be told where to die; ``python -m tests.support.process_child PLAN``.

PLAN is JSON: ``database`` and ``kept`` (where things stand), ``kill`` (``[step, moment]`` or null), ``strike`` (faults
by operation, ``"kill"`` among them) and ``refuse`` (whether the ERP refuses). Its last line of output is JSON when the
process has ended: its state and how long that took from opening the engine.

Moments of a step: ``start`` before anything of it is done, ``done`` when its work is done and not in the journal yet,
``kept`` when it is in the journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from processes.dbos_journal import DbosJournal
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import SourceSystem
from systems.errors import Rejected
from tests.support.process_world import QUICK, REP, process_world, submission

KEY = "o-1"


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(step: str, moment: str) -> None:
    """Make the journal die at a moment of a step."""
    real = DbosJournal.step

    async def mortal(self: Any, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        if (name, moment) == (step, "start"):
            _die()

        async def working() -> Any:
            result = await work()
            if (name, moment) == (step, "done"):
                _die()
            return result

        kept = await real(self, name, working)
        if (name, moment) == (step, "kept"):
            _die()
        return kept

    DbosJournal.step = mortal  # type: ignore[method-assign]


async def carry(plan: dict[str, Any]) -> None:
    if plan["kill"]:
        kill_at(*plan["kill"])
    async with process_world(plan["database"], kept=Path(plan["kept"])) as world:
        for operation, fault in plan["strike"].items():
            moment, _, name = operation.partition(" ")
            getattr(world.script, moment)[name].append(fault)
        if plan["refuse"]:
            refusal = Rejected(SourceSystem.CLOUD_ERP, "create order", "blocked", reason="Blocked")
            world.script.before["create_order"] += [refusal] * 3
        began = time.monotonic()
        async with ProcessEngine(EngineSettings(plan["database"], retries=QUICK), world.use) as engine:
            started = await EngineStarter(engine).submit_order(submission(), key=KEY, principal=REP, wait_ms=10_000)
            state = await end(world, started.process_id or "")
            took = time.monotonic() - began
    told = {"state": state, "took": took, "replayed": started.replayed, "order": started.entity_id}
    sys.stdout.write(json.dumps(told) + "\n")


async def end(world: Any, process_id: str) -> str:
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.process_log.processes([process_id])).get(process_id)
            if found is not None and found.ended_at is not None:
                return str(found.state.value)
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(carry(json.loads(sys.argv[1])))
