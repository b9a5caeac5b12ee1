"""How long prices and promises took, told to the event log once a minute, so that service levels are measured there."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog

from events.ports import EventLog
from schema.enums import SourceSystem
from schema.events.envelope import Event
from systems.errors import ConnectorError
from systems.ports import Clock

__all__ = ["EVERY_S", "ServedTimes"]

EVERY_S = 60.0
"""Time between two reports; one that never comes, because the program was killed, is a minute of a month."""

QUICK_S, LATE_S = 0.8, 2.0
"""An answer is quick within the first, and not late within the second."""

_log = structlog.get_logger("crossdock.service")


@dataclass(slots=True)
class _Count:
    """Answers since a moment."""

    since: datetime
    total: int = 0
    quick: int = 0
    in_time: int = 0
    answered: int = 0


class ServedTimes:
    """Counts answers, and tells of them while there are any.

    Args:
        events: the event log.
        clock: where time comes from.
        every_s: time between two reports.
    """

    def __init__(self, events: EventLog, clock: Clock, every_s: float = EVERY_S) -> None:
        self._events = events
        self._clock = clock
        self._every_s = every_s
        self._program = secrets.token_hex(4)
        self._count: _Count | None = None
        self._report: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._report is not None:
            self._report.cancel()
            await asyncio.gather(self._report, return_exceptions=True)
        await self._tell()

    def note(self, seconds: float, is_answer: bool, /) -> None:
        """Count one answer."""
        if self._count is None:
            self._count = _Count(self._clock.now())
            self._report = asyncio.ensure_future(self._tell_later())
        self._count.total += 1
        self._count.quick += seconds <= QUICK_S
        self._count.in_time += seconds <= LATE_S
        self._count.answered += is_answer

    async def _tell_later(self) -> None:
        await asyncio.sleep(self._every_s)
        await self._tell()

    async def _tell(self) -> None:
        count, self._count = self._count, None
        if count is None:
            return
        try:
            await self._events.append([self._event(count)])
        except ConnectorError as error:
            _log.warning("times of answers are lost", answers=count.total, error=str(error))

    def _event(self, count: _Count) -> Event:
        facts = {"total": count.total, "quick": count.quick, "inTime": count.in_time, "answered": count.answered}
        return Event(
            id=f"svc:{self._program}:{count.since.isoformat()}",
            source="/dist/service",
            type="service.measured",
            subject=self._program,
            partition_key=f"service:{self._program}",
            correlation_id=f"service:{self._program}",
            system=SourceSystem.PLATFORM,
            occurred_at=self._clock.now(),
            data={"since": count.since.isoformat(), **facts},
            account_id=None,
        )
