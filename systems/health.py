"""How each connected system did lately, from the calls that connectors report."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from schema.enums import SourceSystem
from systems.circuit import OPEN_S, CircuitState
from systems.errors import ConnectorErrorCode
from systems.ports import SystemCall, SystemHealth

__all__ = ["HealthBoard"]

WINDOW_S = 300.0
"""How far back "lately" reaches."""

MAX_CALLS = 2_000
"""Latest calls that are kept per system; enough for a p95 that does not jump, and bounded memory at any load."""

_RATE = Decimal("0.0001")
_ANSWERS = frozenset(
    {None, ConnectorErrorCode.SYSTEM_NOT_FOUND, ConnectorErrorCode.SYSTEM_CONFLICT, ConnectorErrorCode.SYSTEM_REJECTED}
)
"""What a system that works may say; the rest counts as an error."""


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    duration_s: float
    is_error: bool


@dataclass(slots=True)
class _Record:
    calls: deque[_Seen] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    circuit: str = CircuitState.CLOSED
    circuit_at: float = 0.0


class HealthBoard:
    """:class:`systems.ports.SystemHealthBoard`; give it to connectors as their observer.

    It tells what the connectors of this program saw. A circuit that was reported open and has been silent since is half
    open when its time is over: the next call probes the system.

    Args:
        systems: the connected systems; they are on the board before anything was asked of them.
        clock: seconds that never go back.
    """

    def __init__(self, systems: Sequence[SourceSystem] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[SourceSystem, _Record] = {system: _Record() for system in systems}

    def __call__(self, call: SystemCall, /) -> None:
        """Take note of one call."""
        now = self._clock()
        record = self._records.setdefault(call.system, _Record())
        record.calls.append(_Seen(now, call.duration_s, call.error_code not in _ANSWERS))
        record.circuit, record.circuit_at = call.circuit, now

    def health(self) -> tuple[SystemHealth, ...]:
        """Return one entry per system by name."""
        return tuple(self._health(system, self._records[system]) for system in sorted(self._records))

    def _health(self, system: SourceSystem, record: _Record) -> SystemHealth:
        now = self._clock()
        recent = [call for call in record.calls if call.at > now - WINDOW_S]
        circuit = record.circuit
        if circuit == CircuitState.OPEN and now - record.circuit_at >= OPEN_S:
            circuit = CircuitState.HALF_OPEN
        return SystemHealth(system, str(circuit), _p95_ms(recent), _error_rate(recent))


def _p95_ms(calls: Sequence[_Seen]) -> int | None:
    """Return the duration that 95 % of the calls did not exceed."""
    durations = sorted(call.duration_s for call in calls)
    return round(durations[math.ceil(0.95 * len(durations)) - 1] * 1000) if durations else None


def _error_rate(calls: Sequence[_Seen]) -> Decimal | None:
    errors = sum(call.is_error for call in calls)
    return (Decimal(errors) / len(calls)).quantize(_RATE, ROUND_HALF_UP) if calls else None
