"""Starts of onboarding, of changes and merges of accounts, and what persons decide about onboardings."""

from __future__ import annotations

import asyncio
import time

from processes.account_case import ACCOUNT_CHANGED, change_request
from processes.api import AccountChange, Started
from processes.merge_case import ACCOUNT_MERGED, MergeRequest
from processes.onboarding_case import ONBOARDING, OnboardingRequest
from processes.onboarding_verdicts import record_verdict
from processes.rules.onboarding_decision import Verdict, unsolved
from processes.starts import LOOK_S, RECEIVE_WAIT_S, Starts, refused, seconds, unanswered
from schema.enums import CheckKind, OnboardingStatus
from schema.records.identity import Principal
from schema.records.merges import MergeAsked
from schema.records.onboarding import Applicant, Onboarding
from systems.errors import ConnectorError

__all__ = ["AccountStarts"]


class AccountStarts(Starts):
    """Starts customer onboarding (P1), changes and merges of accounts (P9), and takes decisions about onboardings."""

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
        await self._engine.decision(process_id, seconds(wait_ms))
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
            await self._ended(process_id, seconds(wait_ms))
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
                return refused(unanswered(error))
            await self._engine.start(ACCOUNT_CHANGED, request)
            await self._engine.decision(process_id, seconds(wait_ms))
        ending = await self._engine.ending(process_id)
        problems = () if ending is None else ending.problems
        return Started(process_id, await self._state(process_id), change.account_id, problems, replayed)

    async def merge_accounts(self, asked: MergeAsked, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a merge of two accounts (P9) and wait at most ``wait_ms`` for its end.

        Cancel/retry: safe to repeat with the same key.
        """
        claimed = await self._claim("accountMerge", key, principal, asked)
        if isinstance(claimed, Started):
            return claimed
        process_id, replayed = claimed
        request = MergeRequest(process_id, asked, principal.subject, self._use.clock.now())
        await self._engine.start(ACCOUNT_MERGED, request)
        await self._engine.decision(process_id, seconds(wait_ms))
        ending = await self._engine.ending(process_id)
        problems = () if ending is None else ending.problems
        return Started(process_id, await self._state(process_id), asked.survivor_id, problems, replayed)

    async def _ended(self, process_id: str, seconds: float) -> None:
        """Wait at most this long until a run that was waiting for persons has ended."""
        deadline = time.monotonic() + seconds
        while True:
            if await self._engine.ending(process_id) is not None or time.monotonic() > deadline:
                return
            await asyncio.sleep(LOOK_S)

    async def _onboarding_answer(self, process_id: str, onboarding_id: str, *, replayed: bool) -> Started:
        deadline = time.monotonic() + RECEIVE_WAIT_S
        found: Onboarding | None = None
        while found is None:
            found = (await self._use.onboardings.onboardings([onboarding_id])).get(onboarding_id)
            if found is None and time.monotonic() > deadline:
                return Started(process_id, await self._state(process_id), None, (), replayed)
            if found is None:
                await asyncio.sleep(LOOK_S)
        return Started(process_id, await self._state(process_id), onboarding_id, unsolved(found), replayed)
