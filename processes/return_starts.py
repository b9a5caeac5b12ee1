"""Starts of returns, and what persons decide about them."""

from __future__ import annotations

import asyncio
import time

from processes.api import ReturnAsked, ReturnVerdict, Started
from processes.return_case import RETURN, ReturnRequest
from processes.return_news import record_decision
from processes.return_receipt import approval_of, waits_for
from processes.starts import LOOK_S, Starts, refused, seconds
from processes.task_news import claimed_elsewhere, overdue_task_id
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.returns import LedgerReturn

__all__ = ["ReturnStarts"]


class ReturnStarts(Starts):
    """Starts returns (P6) and takes what persons decide about them."""

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
        await self._engine.decision(process_id, seconds(wait_ms))
        return await self._return_answer(process_id, replayed=replayed)

    async def decide_return(self, verdict: ReturnVerdict, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Write a decision about a return down, and wait at most ``wait_ms`` for what follows from it.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("returnDecide", key, principal, verdict)
        if isinstance(claimed, Started):
            return claimed
        decision_id = claimed[0].replace("prc_", "dec_", 1)
        taken = await self._taken(verdict.return_id, decision_id, principal)
        if taken:
            return taken
        decided = await record_decision(
            self._use, verdict.return_id, decision_id, principal.subject, verdict.comment, approve=verdict.approve
        )
        if decided.entry is None:
            return refused(*decided.problems)
        process_id = decided.entry.process_id
        if decided.problems:
            state = await self._state(process_id)
            return Started(process_id, state, decided.entry.id, decided.problems, replayed=False)
        await self._engine.wake(process_id)
        deadline = time.monotonic() + seconds(wait_ms)
        while time.monotonic() < deadline:
            if not await self._return_stands(decided.entry):
                break
            await asyncio.sleep(LOOK_S)
        return await self._return_answer(process_id, replayed=decided.is_known)

    async def _taken(self, return_id: str, decision_id: str, principal: Principal) -> Started | None:
        """Return that somebody else has claimed the decision, None when it is anybody's or was taken already."""
        entry = (await self._use.returns.returns([return_id])).get(return_id)
        task_id = None if entry is None else waits_for(entry)
        if entry is None or task_id is None or any(known.id == decision_id for known in entry.decisions):
            return None
        tasks = await self._use.tasks.tasks([task_id, overdue_task_id(task_id)])
        problems = claimed_elsewhere(tasks.values(), principal.subject)
        if not problems:
            return None
        return Started(entry.process_id, await self._state(entry.process_id), entry.id, problems, replayed=False)

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
