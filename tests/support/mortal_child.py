"""A program that carries processes and may be told where to die; ``python -m tests.support.mortal_child PLAN``.

PLAN is JSON: ``scenario`` (a name of ``mortal_scenarios``, or null to open the engine and close it again),
``database``, ``kept`` (where systems keep what they have) and ``kill`` (number or name of the moment, or null).
The last line of its output is JSON: the states in which the processes ended, how long that took, and the moments that
were passed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from processes.worker import EngineSettings, ProcessEngine
from tests.support.mortal import Moments
from tests.support.mortal_scenarios import SCENARIOS, Scenario, end, order
from tests.support.process_world import QUICK, ProcessWorld, process_world


async def live(plan: dict[str, Any]) -> None:
    """Do what the plan says, or die."""
    scenario = None if plan["scenario"] is None else SCENARIOS[plan["scenario"]]
    moments, states = Moments(plan["kill"]), list[str]()
    async with process_world(plan["database"], kept=Path(plan["kept"])) as world:
        began = time.monotonic()
        async with ProcessEngine(EngineSettings(plan["database"], retries=QUICK), world.use) as engine:
            if scenario is not None:
                await _before(scenario, world, engine)
                moments.watch()
                for process_id in await scenario.act(world, engine):
                    states.append(str(await end(world, process_id)))
            took = time.monotonic() - began
    sys.stdout.write(json.dumps({"states": states, "took": took, "moments": moments.passed}) + "\n")


async def _before(scenario: Scenario, world: ProcessWorld, engine: ProcessEngine) -> None:
    if not scenario.ordered or world.kept.all("version"):
        return
    (process_id,) = await order(world, engine)
    await end(world, process_id)
    order_id = process_id.replace("prc_", "ord_", 1)
    world.kept.put("version", "version", str((await world.order(order_id)).version))


if __name__ == "__main__":
    asyncio.run(live(json.loads(sys.argv[1])))
