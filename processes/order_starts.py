"""Starts of quotes, orders and their changes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from processes.amend_case import CANCELLATION, CHANGE, SPLIT, AmendRequest, not_allowed, submission_of
from processes.api import (
    OrderCancellation,
    OrderChange,
    OrderSplit,
    OrderSubmission,
    QuotePreparation,
    Started,
    SubmissionLine,
)
from processes.decision_api import TaskResolution
from processes.order_case import OrderRequest
from processes.order_checks import failed
from processes.quote_approval import approval_problems
from processes.quote_case import QuoteRequest
from processes.starts import LOOK_S, RECEIVE_WAIT_S, Starts, platform_down, refused, seconds
from schema.enums import OrderStatus, ProcessState
from schema.records.identity import Principal
from schema.records.orders import LedgerOrder
from schema.records.problems import Problem
from schema.records.waiting import DECISION_WAIT_MS
from systems.errors import ConnectorError

__all__ = ["OrderStarts"]

_REFUSED = (OrderStatus.REJECTED,)


class OrderStarts(Starts):
    """Starts quote to order (P2), order submission (P3), and changes, splits and cancellations of orders (P7)."""

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
        await self._engine.start_order(request, is_new=not replayed)
        await self._engine.decision(process_id, seconds(wait_ms))
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
        await self._engine.decision(process_id, seconds(wait_ms))
        return await self._quote_answer(process_id, quote_id, replayed=replayed)

    async def change_order(self, change: OrderChange, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a change of an order (P7) and wait at most ``wait_ms`` for its end.

        Cancel/retry: safe to repeat with the same key.
        """
        return await self._amend("orderChange", CHANGE, change, key, principal, wait_ms)

    async def amend_by(
        self, decision_id: str, resolution: TaskResolution, asked: OrderChange | OrderSplit, principal: Principal
    ) -> tuple[Problem, ...]:
        """Begin what a decision makes of an order (P3), and return what keeps it from its end.

        The process has the decision's id, so that it is one however often the decision comes. Accepted, it resolves the
        task that was decided.
        """
        order = await self._submitted(asked.order_id)
        if isinstance(order, Started):
            return order.problems
        kind = CHANGE if isinstance(asked, OrderChange) else SPLIT
        await self._begin(decision_id, kind, asked, order, principal, resolution)
        return await self._amended(decision_id, DECISION_WAIT_MS)

    async def amended_by(self, decision_id: str) -> tuple[Problem, ...] | None:
        """Return what keeps an amendment that a decision began from its end, None when it began none."""
        if not await self._engine.knows(decision_id):
            return None
        return await self._amended(decision_id, DECISION_WAIT_MS)

    async def cancel_order(
        self, cancellation: OrderCancellation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start the cancellation of an order (P7) and wait at most ``wait_ms`` for its end.

        Cancel/retry: safe to repeat with the same key.
        """
        return await self._amend("orderCancel", CANCELLATION, cancellation, key, principal, wait_ms)

    async def _amend(
        self,
        operation: str,
        kind: str,
        asked: OrderChange | OrderCancellation,
        key: str,
        principal: Principal,
        wait_ms: int,
    ) -> Started:
        order = await self._submitted(asked.order_id)
        if isinstance(order, Started):
            return order
        claimed = await self._claim(operation, key, principal, asked)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        await self._begin(process_id, kind, asked, order, principal)
        problems = await self._amended(process_id, wait_ms)
        return Started(process_id, await self._state(process_id), order.id, problems, replayed)

    async def _submitted(self, order_id: str) -> LedgerOrder | Started:
        """Return the order, or that nothing of it is started and why."""
        try:
            order = (await self._use.orders.orders([order_id])).get(order_id)
        except ConnectorError as error:
            return refused(platform_down(error))
        if order is None:
            said = f"order {order_id} was not submitted here: whoever entered it changes it in the ERP"
            return refused(failed("NOT_SUBMITTED_HERE", said, "orderId"))
        return order

    async def _begin(
        self,
        process_id: str,
        kind: str,
        asked: OrderChange | OrderSplit | OrderCancellation,
        order: LedgerOrder,
        principal: Principal,
        resolution: TaskResolution | None = None,
    ) -> None:
        lines, added = (asked.lines, asked.added) if isinstance(asked, OrderChange) else ((), ())
        submission = submission_of(order)
        more = [SubmissionLine(line.line_no, line.sku, line.quantity) for line in added]
        request = AmendRequest(
            process_id=process_id,
            kind=kind,
            order_id=order.id,
            version=asked.version,
            reason=asked.reason,
            submission=replace(submission, lines=(*submission.lines, *more)),
            asked_by=principal.subject,
            asked_at=self._use.clock.now(),
            lines=lines,
            added=added,
            task_id=None if resolution is None else resolution.task_id,
            resolution="" if resolution is None else resolution.resolution,
        )
        await self._engine.start(kind, request)

    async def _amended(self, process_id: str, wait_ms: int) -> tuple[Problem, ...]:
        """Return what keeps an amendment from its end, as far as that is known when the wait is over."""
        await self._engine.decision(process_id, seconds(wait_ms))
        ending = await self._engine.ending(process_id)
        problems = () if ending is None else ending.problems
        if not problems and await self._state(process_id) is ProcessState.CANCELLED:
            return (not_allowed(f"process {process_id} was cancelled before it ended", ProcessState.CANCELLED, ()),)
        return problems

    async def _order_answer(self, process_id: str, order_id: str, *, replayed: bool) -> Started:
        order = None
        deadline = time.monotonic() + RECEIVE_WAIT_S
        while order is None:
            order = (await self._use.orders.orders([order_id])).get(order_id)
            if order is None and time.monotonic() > deadline:
                break
            if order is None:
                await asyncio.sleep(LOOK_S)
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
