"""A program that carries one onboarding and may die where it is told: ``tests.support.onboarding_child PLAN``.

PLAN is that of ``tests.support.process_child``; ``refuse`` is whether the CRM refuses the account.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import SourceSystem
from systems.errors import Rejected
from tests.support.onboarding_records import applicant
from tests.support.onboarding_runs import prepare
from tests.support.process_child import end, kill_at
from tests.support.process_world import QUICK, REP, process_world

KEY = "ob-1"


async def carry(plan: dict[str, Any]) -> None:
    if plan["kill"]:
        kill_at(*plan["kill"])
    async with process_world(plan["database"], kept=Path(plan["kept"])) as world:
        prepare(world)
        for operation, fault in plan["strike"].items():
            moment, _, name = operation.partition(" ")
            getattr(world.script, moment)[name].append(fault)
        if plan["refuse"]:
            refusal = Rejected(SourceSystem.CRM, "upsert account", "no such owner", reason="OWNER")
            world.script.after["upsert_account"] += [refusal] * 3
        began = time.monotonic()
        async with ProcessEngine(EngineSettings(plan["database"], retries=QUICK), world.use) as engine:
            starter = EngineStarter(engine)
            started = await starter.submit_onboarding(applicant(), key=KEY, principal=REP, wait_ms=10_000)
            state = await end(world, started.process_id or "")
            took = time.monotonic() - began
    told = {"state": state, "took": took, "replayed": started.replayed, "onboarding": started.entity_id}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(carry(json.loads(sys.argv[1])))
