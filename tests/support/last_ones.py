"""Clients that want the last of an item at the same moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta

from processes.api import Started
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.records.problems import Problem, Stockout
from tests.support.mortal_scenarios import end
from tests.support.process_world import QUICK, REP, ProcessWorld, line, submission
from tests.support.rule_records import TODAY, inbound, stock

VALVE = "VLV-0007"
MORE_ON = TODAY + timedelta(days=7)
"""When the item comes in again."""

WAIT_MS = 60_000


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
    async with ProcessEngine(EngineSettings(database_url, retries=QUICK), world.use) as engine:
        starter = EngineStarter(engine)
        answers = await asyncio.gather(
            *(starter.submit_order(wanted, key=f"o-{n}", principal=REP, wait_ms=WAIT_MS) for n in range(clients))
        )
        for answer in answers:
            await end(world, answer.process_id or "")
    return Race(
        tuple(answer for answer in answers if answer.entity_id is not None),
        tuple(answer for answer in answers if answer.entity_id is None),
    )
