"""Tells the event log when a system is left alone because it gives no answers, and when it answers again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from schema.enums import SourceSystem
from schema.events.envelope import Event
from systems.circuit import CircuitState
from systems.ports import SystemHealth

__all__ = ["CircuitWatch"]


class CircuitWatch:
    """Turns looks at circuits into events. Half open is still open: the system has not answered yet.

    Args:
        observer: name of this program among those of one database; each sees circuits of its own.
    """

    def __init__(self, observer: str) -> None:
        self._observer = observer
        self._open: dict[SourceSystem, datetime] = {}

    def look(self, health: Iterable[SystemHealth], now: datetime) -> list[Event]:
        """Return what has changed since the last look."""
        told = []
        for entry in health:
            is_open, since = entry.circuit != CircuitState.CLOSED, self._open.get(entry.system)
            if is_open and since is None:
                self._open[entry.system] = now
                told.append(self._event(entry.system, "opened", now, now))
            elif not is_open and since is not None:
                del self._open[entry.system]
                told.append(self._event(entry.system, "closed", since, now))
        return told

    def _event(self, system: SourceSystem, what: str, since: datetime, now: datetime) -> Event:
        return Event(
            id=f"circuit:{system.value}:{self._observer}:{what}:{now.isoformat()}",
            source="/dist/systems",
            type=f"system.circuit.{what}",
            subject=system.value,
            partition_key=system.value,
            correlation_id=system.value,
            system=SourceSystem.PLATFORM,
            occurred_at=now,
            data={"system": system.value, "openedAt": since.isoformat()},
        )
