"""What the types of operations ask of the request that they are resolved in."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from schema.events.envelope import EventPlace
from schema.operations.views import HistoryPage
from schema.records.identity import Principal
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord

__all__ = ["OperationsContext", "OperationsReading"]


class OperationsReading(Protocol):
    """Reads of one request, batched; None means that there is nothing which the principal may see."""

    @property
    def now(self) -> datetime:
        """When the request is answered."""
        ...

    async def process(self, process_id: str) -> ProcessRecord | None:
        """Return a process."""
        ...

    async def processes_of_order(self, order_id: str) -> tuple[ProcessRecord, ...] | None:
        """Return the processes about an order."""
        ...

    async def task(self, task_id: str) -> ExceptionTask | None:
        """Return a task."""
        ...

    async def letter(self, letter_id: str) -> DeadLetter | None:
        """Return a dead letter."""
        ...

    async def order_lineage(self, order_id: str, first: int, after: EventPlace | None) -> HistoryPage | None:
        """Return a page of an order's story."""
        ...

    async def quote_lineage(self, quote_id: str, first: int, after: EventPlace | None) -> HistoryPage | None:
        """Return a page of a quote's story."""
        ...

    async def account_lineage(self, account_id: str, first: int, after: EventPlace | None) -> HistoryPage | None:
        """Return a page of what happened to an account."""
        ...

    async def touches(self, order_id: str) -> int | None:
        """Return how often people had to touch an order."""
        ...


class OperationsContext(Protocol):
    """The context of an operation on the operations subgraph."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def reader(self) -> OperationsReading:
        """Reads of the request."""
        ...
