"""One change of an account: what is to be changed, what was agreed on before, and who of several changes is first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from processes.api import AccountChange
from processes.dependencies import Dependencies
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import AccountValues
from schema.records.operations import ProcessRecord
from schema.records.problems import Problem
from systems.ports import KeyUse

__all__ = ["ACCOUNT_CHANGED", "ACCOUNT_EDITED", "AccountCase", "AccountChangeRequest", "change_request"]

ACCOUNT_CHANGED = "ACCOUNT_CHANGE"
ACCOUNT_EDITED = "ACCOUNT_EDIT"
"""Names of the processes: a change that was asked for here, and one that was made in the CRM."""

DUE = timedelta(minutes=1)
"""A change is everywhere within this time."""

MAX_TURNS = 50
"""Changes of one version of an account that may fail before others must read it again."""

_OVER = (ProcessState.FAILED, ProcessState.CANCELLED)


@dataclass(frozen=True, slots=True)
class AccountChangeRequest:
    """Input of the process: what to change of which version, and the values that every system agreed on before."""

    process_id: str
    account_id: str
    version: int
    wanted: AccountValues
    before: AccountValues
    is_customer: bool
    comment: str | None
    asked_by: str
    asked_at: datetime
    kind: str = ACCOUNT_CHANGED


class AccountCase:
    """A run of one change."""

    def __init__(self, request: AccountChangeRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self.home_erp: SourceSystem | None = None

    @property
    def order_id(self) -> None:
        """A change of an account is about no order."""
        return None

    @property
    def account_id(self) -> str:
        """Account that is changed."""
        return self.request.account_id

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind=request.kind,
            business_key=request.account_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=request.asked_at,
            due_at=request.asked_at + DUE,
            ended_at=None,
            correlation_id=request.process_id,
            trace_id=None,
            started_by=request.asked_by,
        )

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the change's story, in the partition of its account."""
        request = self.request
        return Event(
            id=f"acc:{request.account_id}:{request.process_id}:{key}",
            source="/dist/accounts",
            type=type_,
            subject=request.account_id,
            partition_key=request.account_id,
            correlation_id=request.process_id,
            system=SourceSystem.PLATFORM,
            occurred_at=self.use.clock.now(),
            data={"accountId": request.account_id, **data},
            account_id=request.account_id,
        )

    async def takes_its_turn(self) -> bool:
        """Return whether no other change of this version is under way or done; those that failed stand in no way."""
        request = self.request
        for turn in range(MAX_TURNS):
            key = f"{request.account_id}|{request.version}|{turn}"
            mine = KeyUse("account versions", key, "", request.process_id)
            first = await self.use.keys.claim(mine, self.use.clock.now())
            if first.process_id == request.process_id:
                return True
            found = (await self.use.process_log.processes([first.process_id])).get(first.process_id)
            if found is None or found.state not in _OVER:
                return False
        return False


async def change_request(
    use: Dependencies, change: AccountChange, process_id: str, asked_by: str
) -> AccountChangeRequest:
    """Return the input of a change, with the values that there are before it.

    Raises:
        ConnectorError: CRM or ERP does not answer.
    """
    wanted = change.account_id
    accounts, customers = await asyncio.gather(use.crm.accounts([wanted]), use.erp.customer_values([wanted]))
    account, customer = accounts.get(wanted), customers.get(wanted)
    owner_id = "" if account is None or account.owner_id is None else account.owner_id
    return AccountChangeRequest(
        process_id=process_id,
        account_id=wanted,
        version=change.version,
        wanted=change.values,
        before=replace(customer or AccountValues(), owner_id=owner_id),
        is_customer=customer is not None,
        comment=change.comment,
        asked_by=asked_by,
        asked_at=use.clock.now(),
    )
