"""The circuit between us and one system: it opens when calls get no answer, or late ones, so that nobody waits in vain.

1. Closed, every call goes through, and how it ended is counted for ``WINDOW_S``.
2. With at least ``MIN_CALLS`` calls of which half or more got no answer it opens: no call goes through for ``OPEN_S``.
   So it does with at least as many answers whose p95 is more than ``SLOW_BUDGETS`` times the budget of an answer.
3. Then it is half open: one call probes the system while all others are refused. An answer closes the circuit, none
   opens it anew. A probe that was given up tells nothing, and the next call is the probe.

Only the calls that the circuit let through since it last changed count: what was under way before is old news.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["OPEN_S", "Circuit", "CircuitState", "Permit"]

WINDOW_S = 30
"""How long a call counts."""

MIN_CALLS = 20
"""Fewest calls that say anything about a system."""

FAILURE_SHARE = 0.5
"""Share of calls without an answer at which a system counts as down."""

SLOW_BUDGETS = 3
"""Budgets that 95 of 100 answers may take; a system that takes longer counts as down."""

_IN_TIME_PERCENT = 95

OPEN_S = 30.0
"""How long a system that is down is left alone."""


class CircuitState(StrEnum):
    """Whether calls go through."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; ``turn`` tells since which change of the circuit, ``since`` when the call began."""

    turn: int
    since: float


@dataclass(slots=True)
class _Second:
    at: int
    calls: int = 0
    failures: int = 0
    late: int = 0


class Circuit:
    """The circuit of one system, for one event loop.

    Args:
        clock: seconds that never go back.
        budget_s: time in which the system is expected to answer; None lets it be as slow as calls wait.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, budget_s: float | None = None) -> None:
        self._clock = clock
        self._late_s = math.inf if budget_s is None else SLOW_BUDGETS * budget_s
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_S)
        self._open_until: float | None = None
        self._is_probing = False
        self._turn = 0

    @property
    def state(self) -> CircuitState:
        """Whether calls go through now."""
        if self._open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._clock() < self._open_until else CircuitState.HALF_OPEN

    @property
    def wait_s(self) -> float:
        """Seconds until the system is probed again; 0 when it may be called or is being probed."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    def admit(self) -> Permit | None:
        """Return leave for one call, None when the system is left alone; every leave given is told to ``leave``."""
        match self.state:
            case CircuitState.OPEN:
                return None
            case CircuitState.HALF_OPEN if self._is_probing:
                return None
            case CircuitState.HALF_OPEN:
                self._is_probing = True
        return Permit(self._turn, self._clock())

    def leave(self, permit: Permit, *, answered: bool | None) -> None:
        """Take note of how an admitted call ended; ``answered`` None means that it was given up."""
        if permit.turn != self._turn:
            return
        if self._open_until is not None:
            self._is_probing = False
            if answered is not None:
                self._change(opens=not answered)
        elif answered is not None:
            self._count(answered=answered, took_s=self._clock() - permit.since)
            if self._is_down():
                self._change(opens=True)

    def _change(self, *, opens: bool) -> None:
        self._open_until = self._clock() + OPEN_S if opens else None
        self._seconds.clear()
        self._turn += 1

    def _count(self, *, answered: bool, took_s: float) -> None:
        now = int(self._clock())
        if not self._seconds or self._seconds[-1].at != now:
            self._seconds.append(_Second(now))
        self._seconds[-1].calls += 1
        self._seconds[-1].failures += not answered
        self._seconds[-1].late += answered and took_s > self._late_s

    def _is_down(self) -> bool:
        since = int(self._clock()) - WINDOW_S
        recent = [second for second in self._seconds if second.at > since]
        calls, failures = sum(second.calls for second in recent), sum(second.failures for second in recent)
        if calls >= MIN_CALLS and failures >= FAILURE_SHARE * calls:
            return True
        answers, late = calls - failures, sum(second.late for second in recent)
        # the p95 is late when those in time are less than 95 of 100
        return answers >= MIN_CALLS and 100 * (answers - late) < _IN_TIME_PERCENT * answers
