"""What starting any process takes: a key that is claimed once, and where the process stands when the wait is over."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any

from processes.api import MAX_WAIT_MS, Started
from processes.order_checks import failed
from processes.worker import ProcessEngine
from schema.enums import ProcessState, SourceSystem
from schema.records.audit import AuditEntry
from schema.records.identity import Principal
from schema.records.problems import DependencyUnavailable, IdempotencyConflict, Problem
from systems.errors import ConnectorError, Unavailable
from systems.ports import KeyUse

__all__ = [
    "LOOK_S",
    "MAX_UNDECIDED",
    "OVERLOADED",
    "RECEIVE_WAIT_S",
    "Starts",
    "platform_down",
    "refused",
    "seconds",
    "unanswered",
]

MAX_KEY_LENGTH = 200
"""Characters of an idempotency key."""

OVERLOADED = "OVERLOADED"
"""Code of the problem that a program has more to do than it can; see ``docs/errors/OVERLOADED.md``."""

MAX_UNDECIDED = 128
"""Processes of one program that are begun and not decided; who comes then is told to come again.

At the peak of 30 orders a second that is four seconds of work: whoever came behind them would hardly wait for it.
"""

OVERLOADED_RETRY_S = 2
"""When to come again: in that time a program decides dozens."""

RECEIVE_WAIT_S = 2.0
"""An answer waits this long for what was started to be in its ledger, however short the caller wants to wait."""

LOOK_S = 0.02
"""How often the ledger is looked into then."""


class Starts:
    """Starts processes over the engine of this program.

    Args:
        engine: runs the processes.
        tenant: whose keys these are.
    """

    def __init__(self, engine: ProcessEngine, tenant: str = "demo") -> None:
        self._engine = engine
        self._use = engine.dependencies
        self._tenant = tenant
        self._claiming = 0

    async def _claim(
        self, operation: str, key: str, principal: Principal, payload: object
    ) -> tuple[str, bool] | Started:
        """Return the process that the key stands for and whether it is an earlier one's, or why there is none."""
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            said = f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters"
            return refused(failed("IDEMPOTENCY_KEY", said, "idempotencyKey"))
        under_way = self._engine.undecided + self._claiming
        if under_way >= MAX_UNDECIDED:
            return refused(_overloaded(f"{under_way} processes are under way", OVERLOADED_RETRY_S))
        scope = f"{self._tenant}|{principal.subject}|{operation}"
        process_id = _new_process_id()
        asked = AuditEntry(
            actor=principal.subject,
            operation=operation,
            outcome="REQUESTED",
            subject=process_id,
            account_id=getattr(payload, "account_id", None),
            after=_plain(payload),
        )
        mine = KeyUse(scope, key, _digest(payload), process_id, asked)
        self._claiming += 1
        try:
            known = await self._use.keys.claim(mine, self._use.clock.now())
        except ConnectorError as error:
            return refused(platform_down(error))
        finally:
            self._claiming -= 1
        if known.payload_hash != mine.payload_hash:
            return refused(
                IdempotencyConflict(
                    code="IDEMPOTENCY_CONFLICT",
                    message=f"key {key!r} was used before with another payload: use a new key for a new request",
                    path=("idempotencyKey",),
                    original_process_id=known.process_id,
                )
            )
        return known.process_id, known.process_id != mine.process_id

    async def _state(self, process_id: str) -> ProcessState:
        found = (await self._use.process_log.processes([process_id])).get(process_id)
        return ProcessState.RUNNING if found is None else found.state


def seconds(wait_ms: int) -> float:
    """Return how long a caller waits, at most :data:`processes.api.MAX_WAIT_MS`."""
    return min(max(wait_ms, 0), MAX_WAIT_MS) / 1000


def _new_process_id() -> str:
    """Return an id that nobody can guess and that sorts by time."""
    return f"prc_{time.time_ns() // 1_000_000:011x}{secrets.token_hex(8)}"


def _digest(payload: object) -> str:
    """Return a hash of what was asked for.

    Equal numbers hash the same, however many zeros they carry; what was left at its default does not count, so that a
    field that is added later changes no hash.
    """
    text = json.dumps(_plain(payload), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        stated = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: _plain(entry) for field, entry in stated if entry != field.default}
    match value:
        case tuple():
            return [_plain(entry) for entry in value]
        case Decimal():
            return f"{value.normalize():f}"
        case date():
            return value.isoformat()
        case _:
            return value


def refused(problem: Problem) -> Started:
    """Return that nothing was started, and why."""
    return Started(None, None, None, (problem,), replayed=False)


def unanswered(error: ConnectorError) -> DependencyUnavailable:
    """Return the failure of a system that must be asked before anything is started as a problem."""
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"{error.system} does not answer, nothing was started, repeat with the same key: {error.detail}",
        retryable=True,
        system=error.system,
    )


def platform_down(error: ConnectorError) -> DependencyUnavailable:
    """Return a failure of the platform's own ledger as a problem; one that says when to ask again is busy, not gone."""
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        return _overloaded(error.detail, ceil(error.retry_after_s))
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"the platform's ledger does not answer: {error.detail}",
        retryable=True,
        system=SourceSystem.PLATFORM,
    )


def _overloaded(why: str, after_s: int) -> DependencyUnavailable:
    """Return that this program has more to do than it can; nothing was started or kept."""
    return DependencyUnavailable(
        code=OVERLOADED,
        message=f"too much is under way, nothing was started, repeat with the same key in {after_s} s: {why}",
        retryable=True,
        system=SourceSystem.PLATFORM,
        retry_after_seconds=after_s,
    )
