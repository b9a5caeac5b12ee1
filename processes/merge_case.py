"""One merge of accounts: which is to be which, and what stood before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from processes.dependencies import Dependencies
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.merges import AccountMerge, MergeAsked
from schema.records.operations import ProcessRecord
from schema.records.problems import Problem

__all__ = ["ACCOUNT_MERGED", "MergeCase", "MergeRequest"]

ACCOUNT_MERGED = "ACCOUNT_MERGE"
"""Name of the process."""

DUE = timedelta(minutes=5)
"""A merge is everywhere within this time."""


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """Input of the process."""

    process_id: str
    asked: MergeAsked
    asked_by: str
    asked_at: datetime


class MergeCase:
    """A run of one merge."""

    def __init__(self, request: MergeRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self.home_erp: SourceSystem | None = None

    @property
    def order_id(self) -> None:
        """A merge is about no order."""
        return None

    @property
    def account_id(self) -> str:
        """Account that remains."""
        return self.request.asked.survivor_id

    @property
    def duplicate_id(self) -> str:
        """Account that ends."""
        return self.request.asked.duplicate_id

    @property
    def key_parts(self) -> Mapping[str, str]:
        """What the keys of the steps are made of beside the ids of account and process."""
        return {"duplicate": self.duplicate_id}

    @property
    def erp_key(self) -> str:
        """Key under which the ERP merges."""
        return f"mrg:{self.account_id}:{self.duplicate_id}:{self.request.process_id}:ERP"

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind=ACCOUNT_MERGED,
            business_key=self.account_id,
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
        """Return an event of the merge's story, in the partition of the account that remains."""
        return self.news_of(self.account_id, type_, key, data)

    def news_of(self, account_id: str, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the merge's story, in the partition of one of the two accounts."""
        return Event(
            id=f"mrg:{account_id}:{self.request.process_id}:{key}",
            source="/dist/accounts",
            type=type_,
            subject=account_id,
            partition_key=account_id,
            correlation_id=self.request.process_id,
            system=SourceSystem.PLATFORM,
            occurred_at=self.use.clock.now(),
            data={"accountId": account_id, **data},
            account_id=account_id,
        )

    async def merge(self) -> AccountMerge:
        """Return the merge as it is written down.

        Raises:
            LookupError: it is not; the step that writes it comes first.
        """
        return (await self.use.merges.merges([self.request.process_id]))[self.request.process_id]
