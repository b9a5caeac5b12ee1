"""Keeps this program's slot, and takes over the runs of slots that nobody holds any more.

1. Every ``beat_s`` it proves that the slot is held. Without proof for ``lost_s`` the program must stop its runs.
2. Every ``look_s`` it looks which slots nobody holds while runs wait under them.
3. A slot that stays so for ``vacant_s`` is taken, its runs are put where any program picks them up, and it is given up
   again. Whoever holds its lock is the only one who does that, and nobody runs anything under it meanwhile: no run is
   carried twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from processes.slots import MAX_SLOTS, SlotLocks, SlotTimes, slot_name
from systems.errors import ConnectorError

__all__ = ["MAX_RESUMED", "SlotKeeper", "WaitingRuns"]

MAX_RESUMED = 200
"""Runs that are resumed at once; the rest follow in the same turn."""

_log = structlog.get_logger("crossdock.processes")


class WaitingRuns(Protocol):
    """The journal's view of runs by slot."""

    async def slots_with_runs(self, names: Sequence[str]) -> frozenset[str]:
        """Return those of these slots under which runs are unfinished; not necessarily all of them at once."""
        ...

    async def runs_of(self, name: str, limit: int) -> tuple[str, ...]:
        """Return ids of unfinished runs of a slot."""
        ...

    async def resume(self, run_ids: Sequence[str]) -> None:
        """Have the runs carried by whichever program picks them up."""
        ...


@dataclass(frozen=True, slots=True)
class SlotKeeper:
    """Keeps a slot and looks after vacant ones.

    Attributes:
        locks: the locks of slots.
        number: the slot of this program.
        times: when a slot counts as lost or vacant.
        runs: the journal's view of runs.
        lost: called once when the slot is lost; must stop every run of this program.
    """

    locks: SlotLocks
    number: int
    times: SlotTimes
    runs: WaitingRuns
    lost: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Work until cancelled, or until the slot is lost."""
        confirmed = looked = time.monotonic()
        vacant: dict[str, float] = {}
        while True:
            await asyncio.sleep(self.times.beat_s)
            if not await self._confirm():
                vacant = {}
                if time.monotonic() - confirmed > self.times.lost_s:
                    await self.lost()
                    return
                continue
            confirmed = time.monotonic()
            if confirmed - looked >= self.times.look_s:
                vacant = await self._look(vacant)
                looked = time.monotonic()

    async def _confirm(self) -> bool:
        try:
            async with asyncio.timeout(self.times.lost_s):
                return await self.locks.confirm(self.number)
        except TimeoutError:
            return False

    async def _look(self, vacant: dict[str, float]) -> dict[str, float]:
        """Return the vacant slots with waiting runs and since when; those that are long so are taken over."""
        now = time.monotonic()
        try:
            taken = await self.locks.taken()
            free = {slot_name(number): number for number in range(MAX_SLOTS) if number not in taken}
            waiting = await self.runs.slots_with_runs(tuple(free))
            since = {name: vacant.get(name, now) for name in waiting}
            for name in sorted(waiting):
                if now - since[name] >= self.times.vacant_s:
                    await self._take_over(free[name])
                    del since[name]
        except ConnectorError as error:
            _log.warning("cannot look for vacant slots", error=str(error))
            return {}
        except Exception:  # noqa: BLE001 - the journal fails with errors of its own; the next look may succeed
            _log.exception("cannot look for vacant slots")
            return {}
        return since

    async def _take_over(self, number: int) -> None:
        if not await self.locks.take(number):
            return
        name, resumed = slot_name(number), 0
        try:
            while run_ids := await self.runs.runs_of(name, MAX_RESUMED):
                await self.runs.resume(run_ids)
                resumed += len(run_ids)
        finally:
            await self.locks.give_up(number)
        _log.warning("runs of a vacant slot taken over", slot=name, runs=resumed, by=slot_name(self.number))
