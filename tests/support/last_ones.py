"""Clients that want the last of an item at the same moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, timedelta

from processes.api import Started
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.records.problems import Problem, Stockout
from tests.support.eventually import eventually
from tests.support.mortal_scenarios import end
from tests.support.process_world import QUICK, REP, ProcessWorld, line, submission
from tests.support.rule_records import TODAY, inbound, stock

VALVE = "VLV-0007"
MORE_ON = TODAY + timedelta(days=7)
"""When the item comes in again."""

WAIT_MS = 60_000
PATIENT = replace(QUICK, quick=50)
"""A slow machine does not count as a warehouse that is away, without which orders would go on unreserved."""


@dataclass(frozen=True)
class Race:
    """How it went: answers to those who got the item and to those who did not."""

    sold: tuple[Started, ...]
    refused: tuple[Started, ...]

    @property
    def told(self) -> list[Problem]:
        """What those heard who got nothing."""
        return [problem for answer in self.refused for problem in answer.problems]

    @property
    def next_days(self) -> list[date | None]:
        """When those can have the item who heard of a stockout."""
        return [problem.next_available for problem in self.told if isinstance(problem, Stockout)]


async def race(database_url: str, world: ProcessWorld, *, clients: int, left: int) -> Race:
    """Have every client order one valve at once, of which so many are left, and wait until every process has ended."""
    world.wms.positions = [stock(str(left), sku=VALVE)]
    world.erp.supply = {VALVE: (inbound("500", MORE_ON, sku=VALVE),)}
    wanted = submission(line(1, VALVE), allow_backorder=False)
    async with ProcessEngine(EngineSettings(database_url, retries=PATIENT), world.use) as engine:
        starter = EngineStarter(engine)

        async def submit(client: int) -> Started:
            """Submit as a client does: what was not begun on a busy machine is asked for again under its key."""

            async def ask() -> Started:
                return await starter.submit_order(wanted, key=f"o-{client}", principal=REP, wait_ms=WAIT_MS)

            return await eventually(ask, lambda answer: answer.process_id is not None, WAIT_MS / 1000)

        begun = await asyncio.gather(*(submit(client) for client in range(clients)))
        for answer in begun:
            await end(world, answer.process_id or "")
        # On a slow machine the first answer of some is that the process goes on; this one is the last word.
        answers = [await submit(client) for client in range(clients)]
    return Race(
        tuple(answer for answer in answers if answer.entity_id is not None),
        tuple(answer for answer in answers if answer.entity_id is None),
    )
