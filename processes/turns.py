"""Whose turn it is before systems that were out, as one program knows it.

While every system answers nobody is in line, and a run asks nothing of the database: what is known of lines is in
memory. It is read anew every second, so that a program learns of the lines that runs of another one stand in.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import structlog

from processes.rules.turns import HOLDS_UP_FOR, may_go
from schema.enums import SourceSystem
from systems.errors import ConnectorError
from systems.ports import Clock, Line, Place, WaitingLines

__all__ = ["TURN_S", "Turns"]

LOOK_S = 1.0
"""How often lines are read; as long as a program may take to learn of one that begins."""

TURN_S = 600.0
"""Longest wait for a turn in one attempt of a step: then it is looked whether a person must be asked."""

_log = structlog.get_logger("crossdock.processes")


class Turns:
    """The lines before systems.

    Args:
        lines: who stands in them.
        clock: where time comes from.
    """

    def __init__(self, lines: WaitingLines, clock: Clock) -> None:
        self._lines = lines
        self._clock = clock
        self._first: Mapping[Line, Place] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._answers: Counter[SourceSystem] = Counter()

    async def run(self) -> None:
        """Keep looking until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except ConnectorError as error:
                _log.warning("cannot look who waits in line", error=str(error))
            except Exception:  # noqa: BLE001 - without looking those who wait would wait for good
                _log.exception("cannot look who waits in line")

    async def look(self) -> None:
        """Read who is first in every line, and wake those whose turn it is.

        Raises:
            ConnectorError: the platform's database does not answer.
        """
        self._first = await self._lines.first(self._joined_after())
        for place in self._first.values():
            self._wake(place)

    def is_known(self, line: Line) -> bool:
        """Return whether somebody stands in the line."""
        return line in self._first

    def answered(self, system: SourceSystem) -> None:
        """Note that a system has done what a run wanted of it."""
        self._answers[system] += 1

    def answers(self, system: SourceSystem) -> int:
        """Return how often a system has done what runs of this program wanted."""
        return self._answers[system]

    async def join(self, place: Place) -> Place:
        """Take a place in a line, or return the one that the process has there.

        Raises:
            ConnectorError: the platform's database does not answer.
        """
        found = await self._lines.join(place)
        self._first = {place.line: found, **self._first}
        return found

    async def is_due(self, place: Place) -> bool:
        """Return whether it is the turn of a place now.

        Raises:
            ConnectorError: the platform's database does not answer.
        """
        return place.aside or may_go(place, await self._look_at(place.line))

    async def wait(self, place: Place) -> bool:
        """Wait for the turn of a place, at most :data:`TURN_S`; return whether it came.

        Raises:
            ConnectorError: the platform's database does not answer.
        """
        event = self._waiting.setdefault(place.process_id, asyncio.Event())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    while True:
                        event.clear()
                        if await self.is_due(place):
                            return True
                        await event.wait()
            return await self.is_due(place)
        finally:
            self._waiting.pop(place.process_id, None)

    async def stand_aside(self, place: Place) -> None:
        """Let a place hold nobody up any more.

        Raises:
            ConnectorError: the platform's database does not answer.
        """
        await self._lines.stand_aside(place.process_id)
        await self._look_at(place.line)

    async def leave(self, process_id: str, line: Line | None) -> None:
        """Give up a place, so that the next one in its line goes on; ``line`` None means that it is not known.

        Raises:
            ConnectorError: the platform's database does not answer.
        """
        await self._lines.leave(process_id)
        if line is not None:
            await self._look_at(line)

    async def _look_at(self, line: Line) -> Place | None:
        """Return who is first in a line, waking it."""
        first = (await self._lines.first(self._joined_after(), line)).get(line)
        others = {known: place for known, place in self._first.items() if known != line}
        self._first = others if first is None else {**others, line: first}
        if first is not None:
            self._wake(first)
        return first

    def _wake(self, first: Place) -> None:
        event = self._waiting.get(first.process_id)
        if event is not None:
            event.set()

    def _joined_after(self) -> datetime:
        return self._clock.now() - HOLDS_UP_FOR
