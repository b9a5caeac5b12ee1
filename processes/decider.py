"""Takes decisions and wakes the processes that wait for them.

The decision is written first, in one commit with its event; then the process is woken. Whoever dies in between loses
nothing: the same request again wakes it, and so does the process's own look (``processes/runner.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from processes.amend_case import submission_of
from processes.api import OrderCancellation, Started
from processes.decision_api import HoldRelease, OpsAnswer, ProcessRetry, QuoteDecision, Replay, TaskResolution
from processes.hold_decision import HoldVerdict, decide_hold
from processes.order_case import OrderRequest
from processes.quote_approval import approval_problems
from processes.quote_decision import QuoteVerdict, decide_quote
from processes.registry import ORDER
from processes.replay import Reopens, replay_letters
from processes.starter import EngineStarter
from processes.starts import platform_down
from processes.task_desk import TaskDesk, retry_process
from processes.worker import ProcessEngine
from schema.enums import OrderStatus, ProcessState, QuoteStatus
from schema.records.identity import Principal
from schema.records.orders import LedgerOrder
from schema.records.problems import Problem
from systems.errors import ConnectorError

__all__ = ["EngineDecider"]

FIRST_LOOK_S = 0.02
LAST_LOOK_S = 0.25
"""Pauses between looks at what a decision led to, growing from the first to the last."""

CREDIT_STEP = "credit"
"""Step that a held order begins with when no run of its process is left: everything before it stands in the ledger."""

_STOPPED = (ProcessState.WAITING_SYSTEM, ProcessState.COMPLETED, ProcessState.FAILED, ProcessState.CANCELLED)


class EngineDecider(EngineStarter):
    """:class:`processes.decision_api.ProcessDesk` over the engine of this program.

    Args:
        engine: runs the processes.
        inbox: handles messages again.
        tenant: whose keys these are.
    """

    def __init__(self, engine: ProcessEngine, inbox: Reopens, tenant: str = "demo") -> None:
        super().__init__(engine, tenant)
        self._inbox = inbox

    async def release_hold(self, release: HoldRelease, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Release a hold of an order and wait at most ``wait_ms`` for what follows from it.

        Cancel/retry: safe to repeat with the same key.

        Raises:
            NotEntitled: the principal does not decide about this hold.
        """
        claimed = await self._claim("orderHoldRelease", key, principal, release)
        if isinstance(claimed, Started):
            return claimed
        verdict = HoldVerdict(
            claimed[0], release.order_id, release.kind, True, release.comment, release.max_amount, release.expires_at
        )
        problems = await self._decided(decide_hold(self._use, verdict, principal))
        order = (await self._use.orders.orders([release.order_id])).get(release.order_id)
        if order is None or problems:
            entity = None if order is None else order.id
            process_id = None if order is None else order.process_id
            state = None if process_id is None else await self._state(process_id)
            return Started(process_id, state, entity, problems, replayed=claimed[1])
        await self.go_on_with_order(order)
        await self._until(wait_ms, lambda: self._is_settled(order))
        shown = (await self._use.orders.orders([order.id]))[order.id]
        state = await self._state(order.process_id)
        return Started(order.process_id, state, order.id, shown.exceptions, replayed=claimed[1])

    async def cancel_order(
        self, cancellation: OrderCancellation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start the cancellation of an order (P7); its own process ends when it waited for a decision.

        Cancel/retry: safe to repeat with the same key.
        """
        started = await super().cancel_order(cancellation, key=key, principal=principal, wait_ms=wait_ms)
        order = (await self._use.orders.orders([cancellation.order_id])).get(cancellation.order_id)
        if order is not None and order.status is OrderStatus.CANCELLED:
            await self._engine.wake(order.process_id)
        return started

    async def decide_quote(self, decision: QuoteDecision, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Approve or reject a quote and wait at most ``wait_ms`` for its process to take note.

        Cancel/retry: safe to repeat with the same key.

        Raises:
            NotEntitled: the principal approves at none of the levels that the quote waits for.
        """
        claimed = await self._claim("quoteDecide", key, principal, decision)
        if isinstance(claimed, Started):
            return claimed
        verdict = QuoteVerdict(claimed[0], decision.quote_id, decision.version, decision.approve, decision.comment)
        problems = await self._decided(decide_quote(self._use, verdict, principal))
        quote = (await self._use.quotes.quotes([decision.quote_id])).get(decision.quote_id)
        if quote is None or quote.process_id is None:
            return Started(None, None, None if quote is None else quote.id, problems, replayed=claimed[1])
        process_id = quote.process_id
        if not problems and await self._engine.wake(process_id) and quote.status is not QuoteStatus.PENDING_APPROVAL:
            await self._until(wait_ms, lambda: self._has_ended(process_id))
        problems = problems or approval_problems(quote)
        return Started(process_id, await self._state(process_id), quote.id, problems, replayed=claimed[1])

    async def claim_task(self, task_id: str, *, principal: Principal) -> OpsAnswer:
        """Make a task the principal's own.

        Cancel/retry: safe to repeat.

        Raises:
            NotEntitled: the principal does not work the task's queue.
        """
        return OpsAnswer(await self._decided(self._tasks.claim(task_id, principal)))

    async def resolve_task(self, resolution: TaskResolution, *, key: str, principal: Principal) -> OpsAnswer:
        """Resolve a task, which does what the resolution says.

        Cancel/retry: safe to repeat with the same key.

        Raises:
            NotEntitled: the principal does not work the task's queue.
        """
        claimed = await self._claim("exceptionTaskResolve", key, principal, resolution)
        if isinstance(claimed, Started):
            return OpsAnswer(claimed.problems)
        return OpsAnswer(await self._decided(self._tasks.resolve(resolution, claimed[0], principal)))

    async def retry_process(self, retry: ProcessRetry, *, key: str, principal: Principal) -> OpsAnswer:
        """Have a parked process go on, or one do a dead-lettered step again.

        Cancel/retry: safe to repeat with the same key.

        Raises:
            NotEntitled: the principal does not run the platform.
        """
        claimed = await self._claim("processRetry", key, principal, retry)
        if isinstance(claimed, Started):
            return OpsAnswer(claimed.problems)
        return await retry_process(self._engine, retry, claimed[0], principal)

    async def replay_messages(self, replay: Replay, *, key: str, principal: Principal) -> OpsAnswer:
        """Have dead letters handled again.

        Cancel/retry: safe to repeat with the same key.

        Raises:
            NotEntitled: the principal does not run the platform.
        """
        claimed = await self._claim("messagesReplay", key, principal, replay)
        if isinstance(claimed, Started):
            return OpsAnswer(claimed.problems)
        try:
            return await replay_letters(self._engine, self._inbox, replay, claimed[0], principal)
        except ConnectorError as error:
            return OpsAnswer((platform_down(error),))

    async def go_on_with_order(self, order: LedgerOrder) -> None:
        """Wake the process of an order; without a run that waits, one begins from what stands in the ledger."""
        if await self._engine.wake(order.process_id):
            return
        request = OrderRequest(
            order.process_id,
            order.id,
            submission_of(order),
            order.submitted_by,
            order.submitted_at,
            begins_at=CREDIT_STEP,
        )
        await self._engine.take_up(ORDER.name, request)

    @property
    def _tasks(self) -> TaskDesk:
        return TaskDesk(self._engine, self.go_on_with_order, self)

    async def _decided(self, decision: Awaitable[tuple[Problem, ...]]) -> tuple[Problem, ...]:
        """Return the problems of a decision; a system that must be asked for it and does not answer is one."""
        try:
            return await decision
        except ConnectorError as error:
            return (platform_down(error),)

    async def _is_settled(self, before: LedgerOrder) -> bool:
        """Return whether the order has come to its next stop, or its process waits for a system."""
        if before.holds:
            return True  # other holds keep it where it is
        order = (await self._use.orders.orders([before.id]))[before.id]
        return order.status is not before.status or await self._state(order.process_id) in _STOPPED

    async def _has_ended(self, process_id: str) -> bool:
        return await self._engine.ending(process_id) is not None

    async def _until(self, wait_ms: int, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Look until something is so, at most ``wait_ms``."""
        deadline, pause = time.monotonic() + wait_ms / 1000, FIRST_LOOK_S
        while not await is_so() and time.monotonic() + pause < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_LOOK_S)
