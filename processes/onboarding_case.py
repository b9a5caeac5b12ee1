"""One request to become a customer: how its ledger record is written, and what its run knows.

What the process has decided stands in the ledger and nowhere else, so that any run can go on where another one ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from processes.dependencies import Dependencies
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.onboarding import Applicant, Onboarding
from schema.records.operations import ProcessRecord
from schema.records.problems import Problem
from systems.errors import Conflict, NotFound

__all__ = ["ACCOUNTS", "ONBOARDING", "OnboardingCase", "OnboardingRequest", "onboarding_event"]

ONBOARDING = "CUSTOMER_ONBOARDING"
"""Name of the process."""

ACCOUNTS = "/dist/accounts"
"""Source of events about accounts and those who want to be one."""

DUE = timedelta(days=2)
"""An onboarding is over within this time."""

MAX_WRITES = 8
"""Times that a ledger write is tried anew because somebody else wrote in between."""


@dataclass(frozen=True, slots=True)
class OnboardingRequest:
    """Input of the process: who wants to become a customer, who says so, when, under which ids."""

    process_id: str
    onboarding_id: str
    account_id: str
    applicant: Applicant
    submitted_by: str
    submitted_at: datetime


class OnboardingCase:
    """A run of one onboarding."""

    def __init__(self, request: OnboardingRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self.home_erp: SourceSystem | None = None

    @property
    def applicant(self) -> Applicant:
        """Who wants to become a customer."""
        return self.request.applicant

    @property
    def order_id(self) -> None:
        """An onboarding is about no order."""
        return None

    @property
    def account_id(self) -> str:
        """Account that the applicant will have; a prospect of the CRM keeps its own, which the ledger has."""
        return self.request.account_id

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind=ONBOARDING,
            business_key=request.onboarding_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=request.submitted_at,
            due_at=request.submitted_at + DUE,
            ended_at=None,
            correlation_id=request.onboarding_id,
            trace_id=None,
            started_by=request.submitted_by,
        )

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the onboarding's story."""
        request = self.request
        return onboarding_event(request.onboarding_id, request.account_id, type_, key, data, self.use.clock.now())

    async def stored(self) -> Onboarding | None:
        """Return the request as the ledger has it, None before it was recorded."""
        wanted = self.request.onboarding_id
        return (await self.use.onboardings.onboardings([wanted])).get(wanted)

    async def onboarding(self) -> Onboarding:
        """Return the request as the ledger has it.

        Raises:
            NotFound: the ledger has no such request.
        """
        found = await self.stored()
        if found is None:
            said = f"onboarding {self.request.onboarding_id} is not in the ledger"
            raise NotFound(SourceSystem.PLATFORM, "onboarding", said)
        return found

    async def change(
        self,
        changed: Callable[[Onboarding], Onboarding],
        tell: Callable[[Onboarding], Sequence[Event]] = lambda _: (),
    ) -> Onboarding:
        """Write a change and its events in one commit; a change that is there already writes nothing.

        Raises:
            Conflict: others kept writing in between.
        """
        for _ in range(MAX_WRITES):
            stored = await self.onboarding()
            wanted = changed(stored)
            if wanted == stored:
                return stored
            try:
                return await self.use.onboardings.update(wanted, self._addressed(tell(wanted), wanted))
            except Conflict:
                continue
        said = f"onboarding {self.request.onboarding_id} changed {MAX_WRITES} times"
        raise Conflict(SourceSystem.PLATFORM, "change onboarding", said)

    def _addressed(self, events: Sequence[Event], onboarding: Onboarding) -> list[Event]:
        """Return the events under the account that the ledger has."""
        return [replace(event, account_id=onboarding.account_id) for event in events]


def onboarding_event(
    onboarding_id: str, account_id: str, type_: str, key: str, data: Mapping[str, Any], now: datetime
) -> Event:
    """Return an event of an onboarding's story; ``key`` makes its id."""
    return Event(
        id=f"ob:{onboarding_id}:{key}",
        source=ACCOUNTS,
        type=type_,
        subject=onboarding_id,
        partition_key=onboarding_id,
        correlation_id=onboarding_id,
        system=SourceSystem.PLATFORM,
        occurred_at=now,
        data={"onboardingId": onboarding_id, "accountId": account_id, **data},
        account_id=account_id,
    )
