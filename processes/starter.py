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

from processes.account_case import ACCOUNT_CHANGED, change_request
from processes.amend_case import CANCELLATION, CHANGE, AmendRequest, submission_of
from processes.api import (
    MAX_WAIT_MS,
    AccountChange,
    LineChange,
    OrderCancellation,
    OrderChange,
    OrderSubmission,
    QuotePreparation,
    ReturnAsked,
    ReturnVerdict,
    Started,
)
from processes.onboarding_case import ONBOARDING, OnboardingRequest
from processes.onboarding_verdicts import record_verdict
from processes.order_case import OrderRequest
from processes.order_checks import failed
from processes.quote_approval import approval_problems
from processes.quote_case import QuoteRequest
from processes.return_case import RETURN, ReturnRequest
from processes.return_news import record_decision
from processes.return_receipt import approval_of, waits_for
from processes.rules.onboarding_decision import Verdict, unsolved
from processes.worker import ProcessEngine
from schema.enums import CheckKind, OnboardingStatus, OrderStatus, ProcessState, SourceSystem
from schema.records.audit import AuditEntry
from schema.records.identity import Principal
from schema.records.onboarding import Applicant, Onboarding
from schema.records.problems import DependencyUnavailable, IdempotencyConflict, Problem
from schema.records.returns import LedgerReturn
from systems.errors import ConnectorError
from systems.ports import KeyUse

__all__ = ["EngineStarter", "platform_down"]

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

    async def change_order(self, change: OrderChange, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a change of an order (P7) and wait at most ``wait_ms`` for its end.

        Cancel/retry: safe to repeat with the same key.
        """
        return await self._amend("orderChange", CHANGE, change, change.lines, key, principal, wait_ms)

    async def cancel_order(
        self, cancellation: OrderCancellation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start the cancellation of an order (P7) and wait at most ``wait_ms`` for its end.

        Cancel/retry: safe to repeat with the same key.
        """
        return await self._amend("orderCancel", CANCELLATION, cancellation, (), key, principal, wait_ms)

    async def request_return(self, asked: ReturnAsked, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a return (P6) and wait at most ``wait_ms`` until it is authorised, denied or waits for a person.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("returnRequest", key, principal, asked)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        request = ReturnRequest(
            process_id=process_id,
            order_id=asked.order_id,
            account_id=asked.account_id,
            lines=asked.lines,
            resolution=asked.resolution,
            asked_by=principal.subject,
            asked_at=self._use.clock.now(),
        )
        await self._engine.start(RETURN, request)
        await self._engine.decision(process_id, _seconds(wait_ms))
        return await self._return_answer(process_id, replayed=replayed)

    async def decide_return(self, verdict: ReturnVerdict, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Write a decision about a return down, and wait at most ``wait_ms`` for what follows from it.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("returnDecide", key, principal, verdict)
        if isinstance(claimed, Started):
            return claimed
        decision_id = claimed[0].replace("prc_", "dec_", 1)
        decided = await record_decision(
            self._use, verdict.return_id, decision_id, principal.subject, verdict.comment, approve=verdict.approve
        )
        if decided.entry is None:
            return _refused(*decided.problems)
        process_id = decided.entry.process_id
        if decided.problems:
            state = await self._state(process_id)
            return Started(process_id, state, decided.entry.id, decided.problems, replayed=False)
        await self._engine.wake(process_id)
        deadline = time.monotonic() + _seconds(wait_ms)
        while time.monotonic() < deadline:
            if not await self._return_stands(decided.entry):
                break
            await asyncio.sleep(RECEIVE_POLL_S)
        return await self._return_answer(process_id, replayed=decided.is_known)

    async def _return_stands(self, entry: LedgerReturn) -> bool:
        """Return whether a return is still where it was when somebody decided about it."""
        now = (await self._use.returns.returns([entry.id])).get(entry.id)
        return now is not None and now.status is entry.status

    async def _return_answer(self, process_id: str, *, replayed: bool) -> Started:
        entry = (await self._use.returns.returns_of_processes([process_id])).get(process_id)
        ending = await self._engine.ending(process_id)
        problems: tuple[Problem, ...] = () if ending is None else ending.problems
        state = await self._state(process_id)
        if entry is None:
            return Started(process_id, state, None, problems, replayed)
        task_id = waits_for(entry)
        task = None if task_id is None else (await self._use.tasks.tasks([task_id])).get(task_id)
        if task is not None:
            problems = (*problems, approval_of(task))
        return Started(process_id, state, entry.id, problems, replayed)

    async def _amend(
        self,
        operation: str,
        kind: str,
        asked: OrderChange | OrderCancellation,
        lines: tuple[LineChange, ...],
        key: str,
        principal: Principal,
        wait_ms: int,
    ) -> Started:
        try:
            order = (await self._use.orders.orders([asked.order_id])).get(asked.order_id)
        except ConnectorError as error:
            return _refused(platform_down(error))
        if order is None:
            said = f"order {asked.order_id} was not submitted here: whoever entered it changes it in the ERP"
            return _refused(failed("NOT_SUBMITTED_HERE", said, "orderId"))
        claimed = await self._claim(operation, key, principal, asked)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        request = AmendRequest(
            process_id=process_id,
            kind=kind,
            order_id=order.id,
            version=asked.version,
            reason=asked.reason,
            submission=submission_of(order),
            asked_by=principal.subject,
            asked_at=self._use.clock.now(),
            lines=lines,
        )
        await self._engine.start(kind, request)
        await self._engine.decision(process_id, _seconds(wait_ms))
        ending = await self._engine.ending(process_id)
        problems = () if ending is None else ending.problems
        return Started(process_id, await self._state(process_id), order.id, problems, replayed)

    async def submit_onboarding(self, applicant: Applicant, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start customer onboarding (P1) and wait at most ``wait_ms`` for its end or for what persons must decide.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("onboardingSubmit", key, principal, applicant)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        onboarding_id, account_id = (process_id.replace("prc_", prefix, 1) for prefix in ("onb_", "acc_"))
        now = self._use.clock.now()
        request = OnboardingRequest(process_id, onboarding_id, account_id, applicant, principal.subject, now)
        await self._engine.start(ONBOARDING, request)
        await self._engine.decision(process_id, _seconds(wait_ms))
        return await self._onboarding_answer(process_id, onboarding_id, replayed=replayed)

    async def decide_onboarding(
        self, verdict: Verdict, *, key: str, principal: Principal, theirs: frozenset[CheckKind], wait_ms: int
    ) -> Started:
        """Write a decision about an onboarding down, and wait at most ``wait_ms`` for what follows from it.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("onboardingDecide", key, principal, verdict)
        if isinstance(claimed, Started):
            return claimed
        decision_id = claimed[0].replace("prc_", "dec_", 1)
        recorded = await record_verdict(self._use, verdict, decision_id, principal.subject, theirs)
        onboarding = recorded.onboarding
        if onboarding is None:
            return Started(None, None, None, recorded.problems, replayed=False)
        process_id = onboarding.process_id
        if recorded.problems:
            return Started(process_id, await self._state(process_id), onboarding.id, recorded.problems, replayed=False)
        if onboarding.status is not OnboardingStatus.AWAITING_DECISION:
            await self._engine.wake(process_id)
            await self._ended(process_id, _seconds(wait_ms))
        return await self._onboarding_answer(process_id, onboarding.id, replayed=recorded.is_known)

    async def change_account(self, change: AccountChange, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a change of an account (P9) and wait at most ``wait_ms`` for its end.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("accountChange", key, principal, change)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        if await self._engine.ending(process_id) is None:
            try:
                request = await change_request(self._use, change, process_id, principal.subject)
            except ConnectorError as error:
                return _refused(_unanswered(error))
            await self._engine.start(ACCOUNT_CHANGED, request)
            await self._engine.decision(process_id, _seconds(wait_ms))
        ending = await self._engine.ending(process_id)
        problems = () if ending is None else ending.problems
        return Started(process_id, await self._state(process_id), change.account_id, problems, replayed)

    async def _ended(self, process_id: str, seconds: float) -> None:
        """Wait at most this long until a run that was waiting for persons has ended."""
        deadline = time.monotonic() + seconds
        while True:
            if await self._engine.ending(process_id) is not None or time.monotonic() > deadline:
                return
            await asyncio.sleep(RECEIVE_POLL_S)

    async def _onboarding_answer(self, process_id: str, onboarding_id: str, *, replayed: bool) -> Started:
        deadline = time.monotonic() + RECEIVE_WAIT_S
        found: Onboarding | None = None
        while found is None:
            found = (await self._use.onboardings.onboardings([onboarding_id])).get(onboarding_id)
            if found is None and time.monotonic() > deadline:
                return Started(process_id, await self._state(process_id), None, (), replayed)
            if found is None:
                await asyncio.sleep(RECEIVE_POLL_S)
        return Started(process_id, await self._state(process_id), onboarding_id, unsolved(found), replayed)

    async def _claim(
        self, operation: str, key: str, principal: Principal, payload: object
    ) -> tuple[str, bool] | Started:
        """Return the process that the key stands for and whether it is an earlier one's, or why there is none."""
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            said = f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters"
            return _refused(failed("IDEMPOTENCY_KEY", said, "idempotencyKey"))
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
        try:
            known = await self._use.keys.claim(mine, self._use.clock.now())
        except ConnectorError as error:
            return _refused(platform_down(error))
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
        if quote is not None and not problems:
            problems = approval_problems(quote)
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


def _unanswered(error: ConnectorError) -> DependencyUnavailable:
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"{error.system} does not answer, nothing was started, repeat with the same key: {error.detail}",
        retryable=True,
        system=error.system,
    )


def platform_down(error: ConnectorError) -> DependencyUnavailable:
    """Return a system's failure as a problem; the platform's own ledger is one too."""
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"the platform's ledger does not answer: {error.detail}",
        retryable=True,
        system=SourceSystem.PLATFORM,
    )
