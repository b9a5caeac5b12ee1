"""What is the same for every port: the clock, cursors of lists, calls to vendors and how they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from schema.enums import SourceSystem

BAD_CURSOR = "BAD_CURSOR"
"""Reason of a :class:`systems.errors.Rejected` for a cursor that the list has not given out."""


class Clock(Protocol):
    """Where time comes from, so that tests can drive it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One call that a connector made to its vendor.

    ``error_code`` is None when it succeeded; ``circuit`` is the state of the client's circuit after the call: CLOSED,
    OPEN or HALF_OPEN.
    """

    system: SourceSystem
    operation: str
    duration_s: float
    error_code: str | None
    circuit: str = "CLOSED"


class CallObserver(Protocol):
    """Told of every vendor call after it ended; must not raise and must not block."""

    def __call__(self, call: SystemCall, /) -> None:
        """Take note of one call."""
        ...


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """How a system did lately, as its callers saw it. ``circuit`` is CLOSED, OPEN or HALF_OPEN.

    ``p95_ms`` and ``error_rate`` (a share between 0 and 1) are None while nothing was asked of it.
    """

    system: SourceSystem
    circuit: str
    p95_ms: int | None
    error_rate: Decimal | None


class SystemHealthBoard(Protocol):
    """Health of every connected system."""

    def health(self) -> tuple[SystemHealth, ...]:
        """Return one entry per system by name."""
        ...
