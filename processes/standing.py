"""How one run stands in line for a system that is out.

It takes a place when the system fails it, or when others of the same account wait there already, and keeps it until it
has done what it wants of that system. A run has one place at a time, so that no two of them ever wait for each
other. What persons decide about is not waited for in line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processes.chronicle import Case, Chronicle, Failure
from processes.rules.turns import STANDS_ASIDE_AFTER
from processes.steps import Outage, Step
from processes.turns import Turns
from schema.enums import SourceSystem
from systems.ports import Line, Place

__all__ = ["Standing"]

_ERPS = (SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP, SourceSystem.FINANCE)
"""Systems before which an account has one line: whichever of them it is at home in."""


class Standing:
    """The place of one run.

    Args:
        case: what the run is about.
        seen: where the run is written down.
        turns: the lines, None without any: then it is always the run's turn.
    """

    def __init__(self, case: Case, seen: Chronicle, turns: Turns | None) -> None:
        self._case = case
        self._seen = seen
        self._turns = turns
        self._place: Place | None = None
        self._answers = 0
        self._misses = 0

    async def is_behind(self, step: Step[Any]) -> bool:
        """Return whether others come first at the system of a step, taking a place behind them."""
        if self._turns is None or step.outage is not Outage.WAIT:
            return False
        line = self._line_of(step.system)
        if line is not None and (self._place is None or self._place.line != line):
            if not self._turns.is_known(line):
                return False
            await self._join(self._turns, line, step)
        return self._place is not None and not await self._turns.is_due(self._place)

    async def turn(self) -> bool:
        """Wait for the turn of the run; False when it has not come for long."""
        return self._turns is None or self._place is None or await self._turns.wait(self._place)

    def done(self, step: Step[Any]) -> None:
        """Note that a step was done."""
        if self._turns is not None:
            self._turns.answered(self._seen.system_of(step))

    async def failed(self, step: Step[Any], failure: Failure) -> None:
        """Take a place for a step whose system is away, or stand aside when only this run fails there.

        A system that has answered, if only that it cannot say yet, is waited for outside the line.
        """
        if self._turns is None or step.outage is not Outage.WAIT:
            return
        system = self._seen.system_of(step) if failure.system is None else SourceSystem(failure.system)
        line = self._line_of(system) if failure.is_away else None
        if line is None:
            await self.passed(())
            return
        answers = self._turns.answers(system)
        if self._place is None or self._place.line != line:
            await self._join(self._turns, line, step)
        elif answers > self._answers:
            self._misses += 1
            if self._misses == STANDS_ASIDE_AFTER:
                await self._turns.stand_aside(self._place)
        self._answers = answers

    async def passed(self, later: Sequence[Step[Any]]) -> None:
        """Give the place up when none of the steps that are left wants anything of its system."""
        if self._place is None:
            return
        waiting = [step for step in later if step.outage is Outage.WAIT]
        if not any(self._line_of(step.system) == self._place.line for step in waiting):
            await self.leave()

    async def leave(self) -> None:
        """Give the place up; a run that goes on may have one that it does not know of."""
        if self._turns is None or (self._place is None and not self._case.resumed):
            return
        place, self._place = self._place, None
        await self._turns.leave(self._case.record.id, None if place is None else place.line)

    async def _join(self, turns: Turns, line: Line, step: Step[Any]) -> None:
        record, now = self._case.record, self._seen.now()
        since = getattr(self._case, "in_line_since", record.started_at)
        place = Place(record.id, line, step.name, self._case.order_id, since, joined_at=now)
        self._place = await turns.join(place)
        self._misses = 0

    def _line_of(self, system: SourceSystem) -> Line | None:
        """Return the line before a system, None before the platform itself: nobody queues for that."""
        if system is SourceSystem.PLATFORM:
            return None
        return Line(SourceSystem.CLOUD_ERP if system in _ERPS else system, self._case.account_id)
