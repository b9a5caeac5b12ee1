"""Starts processes so that the same request never starts two: the idempotency key's registry decides who is first."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from processes.api import MAX_WAIT_MS, OrderSubmission, QuotePreparation, Started
from processes.order_case import OrderRequest
from processes.order_checks import failed
from processes.quote_case import QuoteRequest
from processes.worker import ProcessEngine
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.records.identity import Principal
from schema.records.problems import DependencyUnavailable, IdempotencyConflict, Problem
from systems.errors import ConnectorError
from systems.ports import KeyUse

__all__ = ["EngineStarter"]

MAX_KEY_LENGTH = 200
"""Characters of an idempotency key."""

RECEIVE_WAIT_S = 2.0
"""An answer waits this long for the order to be in the ledger, however short the caller wants to wait."""

RECEIVE_POLL_S = 0.02
"""How often the ledger is looked into then."""

_REFUSED = (OrderStatus.REJECTED,)
_ENDED = (ProcessState.COMPLETED, ProcessState.FAILED, ProcessState.CANCELLED)


class EngineStarter:
    """:class:`processes.api.ProcessStarter` over the engine of this program.

    Args:
        engine: runs the processes.
        tenant: whose keys these are.
    """

    def __init__(self, engine: ProcessEngine, tenant: str = "demo") -> None:
        self._engine = engine
        self._use = engine.dependencies
        self._tenant = tenant

    async def submit_order(
        self, submission: OrderSubmission, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start order submission (P3) and wait at most ``wait_ms`` for its decision.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("orderSubmit", key, principal, submission)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        order_id = process_id.replace("prc_", "ord_", 1)
        request = OrderRequest(process_id, order_id, submission, principal.subject, self._use.clock.now())
        await self._engine.start_order(request)
        await self._engine.decision(process_id, _seconds(wait_ms))
        return await self._order_answer(process_id, order_id, replayed=replayed)

    async def prepare_quote(
        self, preparation: QuotePreparation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start quote to order (P2), as far as pricing and approval, and wait at most ``wait_ms`` for it.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("quotePrepare", key, principal, preparation)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        quote_id = process_id.replace("prc_", "quo_", 1)
        request = QuoteRequest(process_id, quote_id, preparation, principal.subject, self._use.clock.now())
        await self._engine.start_quote(request)
        await self._engine.decision(process_id, _seconds(wait_ms))
        return await self._quote_answer(process_id, quote_id, replayed=replayed)

    async def _claim(
        self, operation: str, key: str, principal: Principal, payload: object
    ) -> tuple[str, bool] | Started:
        """Return the process that the key stands for and whether it is an earlier one's, or why there is none."""
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            said = f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters"
            return _refused(failed("IDEMPOTENCY_KEY", said, "idempotencyKey"))
        scope = f"{self._tenant}|{principal.subject}|{operation}"
        mine = KeyUse(scope, key, _digest(payload), _new_process_id())
        try:
            known = await self._use.keys.claim(mine, self._use.clock.now())
        except ConnectorError as error:
            return _refused(_platform_down(error))
        if known.payload_hash != mine.payload_hash:
            return _refused(
                IdempotencyConflict(
                    code="IDEMPOTENCY_CONFLICT",
                    message=f"key {key!r} was used before with another payload: use a new key for a new request",
                    path=("idempotencyKey",),
                    original_process_id=known.process_id,
                )
            )
        return known.process_id, known.process_id != mine.process_id

    async def _order_answer(self, process_id: str, order_id: str, *, replayed: bool) -> Started:
        order = None
        deadline = time.monotonic() + RECEIVE_WAIT_S
        while order is None:
            order = (await self._use.orders.orders([order_id])).get(order_id)
            if order is None and time.monotonic() > deadline:
                break
            if order is None:
                await asyncio.sleep(RECEIVE_POLL_S)
        state = await self._state(process_id)
        refused = order is not None and order.status in _REFUSED
        entity = None if refused else order_id
        return Started(process_id, state, entity, order.exceptions if order is not None else (), replayed)

    async def _quote_answer(self, process_id: str, quote_id: str, *, replayed: bool) -> Started:
        quote = (await self._use.quotes.quotes([quote_id])).get(quote_id)
        ending = await self._engine.ending(process_id)
        problems: tuple[Problem, ...] = () if ending is None else ending.problems
        state = await self._state(process_id)
        return Started(process_id, state, None if quote is None else quote_id, problems, replayed)

    async def _state(self, process_id: str) -> ProcessState:
        found = (await self._use.process_log.processes([process_id])).get(process_id)
        return ProcessState.RUNNING if found is None else found.state


def _seconds(wait_ms: int) -> float:
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


def _refused(problem: Problem) -> Started:
    return Started(None, None, None, (problem,), replayed=False)


def _platform_down(error: ConnectorError) -> DependencyUnavailable:
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"the platform's ledger does not answer: {error.detail}",
        retryable=True,
        system=SourceSystem.PLATFORM,
    )
