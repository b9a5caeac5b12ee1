"""One posted invoice and the order that it bills."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from processes.dependencies import Dependencies
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.invoices import PostedInvoice
from schema.records.operations import ProcessRecord
from schema.records.orders import LedgerOrder
from schema.records.problems import Problem
from systems.errors import Conflict

__all__ = ["INVOICE", "INVOICES", "InvoiceCase", "InvoiceRequest"]

INVOICE = "INVOICE"
INVOICES = "/dist/invoices"
"""Source of events about invoices."""

MAX_WRITES = 8
"""Times that a ledger write is tried anew because somebody else wrote in between."""


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """Input of the process: the invoice as ``erp`` posted it; ``order_id`` is the order that it bills."""

    process_id: str
    order_id: str
    posted: PostedInvoice
    erp: SourceSystem = SourceSystem.CLOUD_ERP


class InvoiceCase:
    """A run of the process about a posted invoice."""

    def __init__(self, request: InvoiceRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()

    @property
    def posted(self) -> PostedInvoice:
        """The invoice."""
        return self.request.posted

    @property
    def home_erp(self) -> SourceSystem:
        """The ERP that posted the invoice."""
        return self.request.erp

    @property
    def number(self) -> str:
        """The invoice's number."""
        return self.posted.invoice.number

    @property
    def order_id(self) -> str:
        """Order that is billed."""
        return self.request.order_id

    @property
    def account_id(self) -> str:
        """Who is billed."""
        return self.posted.invoice.account_id

    @property
    def task_id(self) -> str:
        """Task that asks what becomes of the invoice when it does not fit."""
        return f"tsk_inv_{self.number}"

    @property
    def key_parts(self) -> Mapping[str, str]:
        """What the keys of steps name besides order and process."""
        return {"number": self.number}

    def key(self, template: str) -> str:
        """Return the idempotency key of a step."""
        return template.format(id=self.order_id, **self.key_parts)

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it; it is found under the order."""
        return ProcessRecord(
            id=self.request.process_id,
            kind=INVOICE,
            business_key=self.order_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=self.posted.invoice.posted_at or self.use.clock.now(),
            due_at=None,
            ended_at=None,
            correlation_id=self.order_id,
            trace_id=None,
            started_by="system:crossdock",
        )

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the invoice's story, in the partition of its order."""
        return Event(
            id=f"inv:{self.number}:{key}",
            source=INVOICES,
            type=type_,
            subject=self.order_id if type_.startswith("order.") else self.posted.invoice.id,
            partition_key=self.order_id,
            correlation_id=self.order_id,
            system=SourceSystem.PLATFORM,
            occurred_at=self.use.clock.now(),
            data={"orderId": self.order_id, "invoiceId": self.posted.invoice.id, "number": self.number, **data},
            account_id=self.account_id,
        )

    async def order(self) -> LedgerOrder | None:
        """Return the order as the ledger has it, None when it was never submitted here."""
        return (await self.use.orders.orders([self.order_id])).get(self.order_id)

    async def change(
        self, changed: Callable[[LedgerOrder], LedgerOrder], tell: Callable[[LedgerOrder], Sequence[Event]]
    ) -> None:
        """Write a change of the order and its events in one commit; orders of elsewhere are let be.

        Raises:
            Conflict: others kept writing in between.
        """
        for _ in range(MAX_WRITES):
            stored = await self.order()
            wanted = None if stored is None else changed(stored)
            if wanted is None or wanted == stored:
                return
            try:
                await self.use.orders.update(wanted, tell(wanted))
                return
            except Conflict:
                continue
        raise Conflict(SourceSystem.PLATFORM, "change order", f"order {self.order_id} changed {MAX_WRITES} times")
