"""One order on its way through submission: what is known of it, and how its ledger record is written.

Reads of master data are kept for the run; a run that goes on after a crash reads them anew. What the process has
decided stands in the ledger and nowhere else, so that any run can go on where another one ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from processes.api import OrderSubmission
from processes.dependencies import Dependencies
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import Account, CustomerTerms, ShipTo
from schema.records.catalog import Item
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask, ProcessRecord
from schema.records.orders import LedgerOrder, OrderHold, Quote
from schema.records.problems import Problem
from systems.erp_homes import NEW_CUSTOMERS, Capability, erps_of, home_of_new_orders
from systems.errors import Conflict, NotFound

__all__ = ["AMENDING", "ORDERS", "OrderCase", "OrderRequest"]

AMENDING = (OrderStatus.CHANGE_PENDING, OrderStatus.CANCEL_PENDING)
"""Statuses that stay until the change or cancellation that set them has ended."""

ORDERS = "/dist/orders"
"""Source of events about orders."""

DUE = timedelta(minutes=15)
"""An order is decided within this time."""

MAX_WRITES = 8
"""Times that a ledger write is tried anew because somebody else wrote in between."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Input of the process: who submits what, when, under which ids."""

    process_id: str
    order_id: str
    submission: OrderSubmission
    submitted_by: str
    submitted_at: datetime
    begins_at: str | None = None
    """Step that the run begins with, for an order whose earlier steps stand in the ledger already; None begins anew."""


class OrderCase:
    """A run of order submission for one order."""

    def __init__(self, request: OrderRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self._account: Account | None = None
        self._ship_to: ShipTo | None = None
        self._terms: CustomerTerms | None = None
        self._items: Mapping[str, Item] | None = None
        self._quote: Quote | None = None
        self._warehouses: tuple[Warehouse, ...] | None = None
        self._written: LedgerOrder | None = None

    @property
    def submission(self) -> OrderSubmission:
        """What was submitted."""
        return self.request.submission

    @property
    def order_id(self) -> str:
        """Platform id of the order."""
        return self.request.order_id

    @property
    def account_id(self) -> str:
        """Who buys."""
        return self.submission.account_id

    @property
    def home_erp(self) -> SourceSystem | None:
        """The ERP that takes the order, None while that is not known."""
        if self._written is not None and self._written.home_erp is not None:
            return self._written.home_erp
        return None if self._account is None else home_of_new_orders(self._account.erp_home)

    @property
    def terms_erp(self) -> SourceSystem:
        """The ERP that decides about terms and places of who buys."""
        home = NEW_CUSTOMERS if self._account is None else self._account.erp_home
        return erps_of(home, Capability.TERMS)[0]

    @property
    def correlation_id(self) -> str:
        """Root of the order's story: the quote that it comes from, else itself."""
        return self.submission.quote_id or self.order_id

    @property
    def in_line_since(self) -> datetime:
        """What the order's turn goes by before a system that was out: when it was accepted, until then submitted."""
        accepted_at = None if self._written is None else self._written.accepted_at
        return accepted_at or self.request.submitted_at

    @property
    def may_have_sent(self) -> bool:
        """Whether an earlier attempt may have sent what this one would send: look before sending."""
        return self.resumed or self.attempt > 1

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind="ORDER_SUBMISSION",
            business_key=request.order_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=request.submitted_at,
            due_at=request.submitted_at + DUE,
            ended_at=None,
            correlation_id=self.correlation_id,
            trace_id=None,
            started_by=request.submitted_by,
        )

    def key(self, what: str) -> str:
        """Return the idempotency key of something done for this order."""
        return f"or:{self.order_id}:{what}"

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the order's story."""
        return Event(
            id=self.key(key),
            source=ORDERS,
            type=type_,
            subject=self.order_id,
            partition_key=self.order_id,
            correlation_id=self.correlation_id,
            system=SourceSystem.PLATFORM,
            occurred_at=self.use.clock.now(),
            data={"orderId": self.order_id, **data},
            account_id=self.account_id,
        )

    def forget(self) -> None:
        """Forget what was read of other systems: days may have passed while persons decided."""
        self._account = self._ship_to = self._terms = self._items = self._quote = self._warehouses = None

    async def order(self) -> LedgerOrder:
        """Return the order as the ledger has it.

        Raises:
            NotFound: the ledger has no such order.
        """
        found = (await self.use.orders.orders([self.order_id])).get(self.order_id)
        if found is None:
            raise NotFound(SourceSystem.PLATFORM, "order", f"order {self.order_id} is not in the ledger")
        self._written = found
        return found

    async def known_order(self) -> LedgerOrder:
        """Return the order as this run has read or written it last; a run that goes on or tries again reads it anew.

        For what only this run changes, and for changes, which the ledger takes on the latest version alone.

        Raises:
            NotFound: the ledger has no such order.
        """
        return await self.order() if self._written is None or self.may_have_sent else self._written

    def created(self, order: LedgerOrder) -> None:
        """Remember the order that this run has put into the ledger."""
        self._written = order

    async def change(
        self, changed: Callable[[LedgerOrder], LedgerOrder], tell: Callable[[LedgerOrder], Sequence[Event]]
    ) -> LedgerOrder:
        """Write a change of the order and its events in one commit; a change that is there already writes nothing.

        Raises:
            Conflict: others kept writing in between.
        """
        stored = await self.known_order()
        if changed(stored) == stored:
            stored = await self.order()
        for _ in range(MAX_WRITES):
            wanted = changed(stored)
            if wanted == stored:
                await self.use.events.append(tell(stored))
                return stored
            try:
                self._written = await self.use.orders.update(wanted, tell(wanted))
            except Conflict:
                stored = await self.order()
            else:
                return self._written
        raise Conflict(SourceSystem.PLATFORM, "change order", f"order {self.order_id} changed {MAX_WRITES} times")

    async def hold(self, hold: OrderHold, problems: Sequence[Problem], tasks: Sequence[ExceptionTask]) -> None:
        """Hold the order for a person: the tasks first, then the ledger with its event."""
        for task in tasks:
            facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
            await self.use.tasks.open_task(task, [self.news("task.opened", task.id, facts)])

        def changed(order: LedgerOrder) -> LedgerOrder:
            holds = (*(entry for entry in order.holds if entry.kind is not hold.kind), _kept(order, hold))
            others = tuple(entry for entry in order.exceptions if type(entry) is not type(problems[0]))
            status = order.status if order.status in AMENDING else OrderStatus.ON_HOLD
            return replace(order, status=status, holds=holds, exceptions=(*others, *problems))

        def tell(order: LedgerOrder) -> Sequence[Event]:
            first = problems[0]
            facts = {
                "status": order.status.value,
                "hold": hold.kind.value,
                "reason": hold.reason,
                "queue": hold.owner_queue,
                "problem": {"type": type(first).__name__, "code": first.code, "message": first.message},
            }
            turn = sum(entry.kind is hold.kind for entry in order.decisions)
            return [self.news("order.held", f"held:{hold.kind.value}:{turn}", facts)]

        await self.change(changed, tell)

    async def account(self) -> Account | None:
        """Return who buys, None when the CRM does not know the account."""
        if self._account is None:
            self._account = (await self.use.crm.accounts([self.account_id])).get(self.account_id)
        return self._account

    def at_home(self, order: LedgerOrder) -> LedgerOrder:
        """Return the order with the ERP that is to take it; it stays where it once was decided to go."""
        return order if order.home_erp is not None else replace(order, home_erp=self.home_erp)

    async def ship_to(self) -> ShipTo | None:
        """Return where the order goes, None when the ERP does not know the place."""
        if self._ship_to is None:
            wanted = self.submission.ship_to_id
            self._ship_to = (await self.use.erp.ship_tos([wanted])).get(wanted)
        return self._ship_to

    async def terms(self) -> CustomerTerms | None:
        """Return on what terms the account buys, None when the ERP does not know the customer."""
        if self._terms is None:
            self._terms = (await self.use.erp.terms([self.account_id])).get(self.account_id)
        return self._terms

    async def items(self) -> Mapping[str, Item]:
        """Return the items of the lines by sku."""
        if self._items is None:
            self._items = await self.use.erp.items(sorted({line.sku for line in self.submission.lines}))
        return self._items

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse."""
        if self._warehouses is None:
            self._warehouses = await self.use.wms.warehouses()
        return self._warehouses

    async def quote(self) -> Quote | None:
        """Return the quote that the order comes from, None without one or when it is unknown."""
        wanted = self.submission.quote_id
        if self._quote is None and wanted is not None:
            self._quote = (await self.use.quotes.quotes([wanted])).get(wanted)
        return self._quote


def _kept(order: LedgerOrder, hold: OrderHold) -> OrderHold:
    """Return the hold with the time at which it began, when the order is held for this kind already."""
    before = next((entry for entry in order.holds if entry.kind is hold.kind), None)
    return hold if before is None else replace(hold, since=before.since, due_at=before.due_at)
