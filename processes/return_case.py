"""One return on its way: what is known of it, and how its ledger record is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from processes.api import ReturnLineAsked
from processes.dependencies import Dependencies
from processes.rules.returns import Delivered, Wanted
from processes.rules.uom import factor
from processes.task_news import resolve_tasks
from schema.enums import ProcessState, ReturnStatus, ShipmentStatus, SourceSystem
from schema.events.envelope import Event
from schema.orders.delivery import has_arrived
from schema.orders.views import Delivery
from schema.records.catalog import Item
from schema.records.operations import ProcessRecord
from schema.records.orders import ErpLine, ErpOrder
from schema.records.problems import Problem, ValidationFailed
from schema.records.returns import LedgerReturn, ReturnDecision
from schema.records.values import Quantity
from systems.errors import Conflict, NotFound

__all__ = [
    "MAX_WRITES",
    "RETURN",
    "RETURNS",
    "SYSTEM",
    "Facts",
    "ReturnCase",
    "ReturnRequest",
    "change_return",
    "replacement_id",
    "return_event",
    "told_by",
]

RETURN = "RETURN"
RETURNS = "/dist/returns"
"""Source of events about returns."""

MAX_WRITES = 8
"""Times that a ledger write is tried anew because somebody else wrote in between."""

SYSTEM = "system:crossdock"
"""Who acts when no person does."""

_NOT_BACK = (ReturnStatus.DENIED, ReturnStatus.CANCELLED)
_S = ShipmentStatus
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    """Input of the process: who wants to send back what of which order."""

    process_id: str
    order_id: str
    account_id: str
    lines: tuple[ReturnLineAsked, ...]
    resolution: str
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """The order as its systems have it: its document, items, and what has become of each line."""

    document: ErpOrder
    items: Mapping[str, Item]
    lines: Mapping[int, Delivered]
    warehouses: Mapping[int, str]


class ReturnCase:
    """A run of a return."""

    def __init__(self, request: ReturnRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self.home_erp: SourceSystem | None = None
        self._entry_id = request.process_id

    @property
    def order_id(self) -> str:
        """Order that goods come back of."""
        return self.request.order_id

    @property
    def account_id(self) -> str:
        """Who sends them back."""
        return self.request.account_id

    @property
    def key_parts(self) -> Mapping[str, str]:
        """What the keys of steps name besides order and process."""
        return {"return": self._entry_id}

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it; it is found under the order."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind=RETURN,
            business_key=request.order_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=request.asked_at,
            due_at=None,
            ended_at=None,
            correlation_id=request.order_id,
            trace_id=None,
            started_by=request.asked_by,
        )

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the return's story."""
        return return_event(self._entry_id, self.order_id, self.account_id, type_, key, data, self.use)

    async def found(self) -> LedgerReturn | None:
        """Return the return as the ledger has it, None before it is recorded."""
        known = await self.use.returns.returns_of_processes([self.request.process_id])
        entry = known.get(self.request.process_id)
        if entry is not None:
            self._entry_id = entry.id
        return entry

    async def entry(self) -> LedgerReturn:
        """Return the return as the ledger has it.

        Raises:
            NotFound: it is not recorded.
        """
        entry = await self.found()
        if entry is None:
            raise NotFound(SourceSystem.PLATFORM, "return", f"process {self.request.process_id} has recorded no return")
        return entry

    async def change(
        self, changed: Callable[[LedgerReturn], LedgerReturn], tell: Callable[[LedgerReturn], Sequence[Event]]
    ) -> LedgerReturn:
        """Write a change of the return and its events in one commit; one that is there already writes nothing."""
        return await change_return(self.use, (await self.entry()).id, changed, tell)

    async def resolve(self, task_id: str, decision: ReturnDecision | None) -> None:
        """Resolve a task by what was decided, or because the return went on without; none is let be."""
        resolution = "SUPERSEDED" if decision is None else "APPROVE" if decision.approved else "DENY"
        by, comment = (SYSTEM, "") if decision is None else (decision.by, decision.comment)
        known = await self.use.tasks.tasks([task_id])
        await resolve_tasks(self.use, known.values(), resolution, by, comment)

    async def adopt(self, task_id: str, on: ReturnStatus) -> LedgerReturn:
        """Take over what a person decided by resolving the task, and return the return as it is then."""
        entry = await self.entry()
        task = (await self.use.tasks.tasks([task_id])).get(task_id)
        if entry.decision(on) is not None or task is None or task.resolution not in ("APPROVE", "DENY"):
            return entry
        by, said = task.resolved_by or SYSTEM, task.comment or task.resolution
        decision = ReturnDecision(f"task:{task.id}", on, task.resolution == "APPROVE", by, self.use.clock.now(), said)

        def changed(stored: LedgerReturn) -> LedgerReturn:
            known = stored.decision(on) is not None
            return stored if known else replace(stored, decisions=(*stored.decisions, decision))

        return await self.change(changed, lambda _: ())

    async def facts(self, besides: LedgerReturn | None = None) -> Facts | None:
        """Return what the systems say of the order, None when the ERP has no such order.

        Args:
            besides: a return that does not count as returned, nor do those that were requested after it.
        """
        document = (await self.use.erp.orders([self.order_id])).get(self.order_id)
        if document is None:
            return None
        self.home_erp = document.home_erp
        items = await self.use.erp.items(sorted({line.sku for line in document.lines}))
        shipments = (await self.use.wms.shipments_of([self.order_id])).get(self.order_id, ())
        loads = await self.use.tms.tracking([entry.number for entry in shipments])
        arrived = [
            delivery
            for entry in shipments
            if has_arrived(delivery := Delivery(entry, loads.get(entry.number)))
        ]  # fmt: skip
        back = await self._returned(besides)
        known = [line for line in document.lines if line.sku in items]
        return Facts(
            document=document,
            items=items,
            lines={line.line_no: _delivered(line, items[line.sku], arrived, back) for line in known},
            warehouses={
                carried.line_no: delivery.shipment.warehouse_code
                for delivery in arrived
                for carried in delivery.shipment.lines
            },
        )

    def wanted(self, facts: Facts) -> tuple[Wanted, ...]:
        """Return what is to come back, in base units; units that an item does not have are left out."""
        found = []
        for place, line in enumerate(self.request.lines):
            known = facts.lines.get(line.line_no)
            per_base = Decimal(1) if known is None else factor(line.quantity.uom, known.item)
            if not isinstance(per_base, ValidationFailed):
                found.append(Wanted(place, line.line_no, line.quantity.value * per_base))
        return tuple(found)

    async def _returned(self, besides: LedgerReturn | None) -> Mapping[int, Sequence[Quantity]]:
        """Return what is coming back or has come back, per line: by the ERP, and by the ledger what it has not yet."""
        recorded = (await self.use.returns.returns_of_orders([self.order_id])).get(self.order_id, ())
        known = {entry.id for entry in recorded}
        documents = (await self.use.erp.returns_of_orders([self.order_id])).get(self.order_id, ())
        counted = [entry for entry in documents if entry.id not in known]
        counted += [entry.shown for entry in recorded if _counts(entry, besides)]
        found: dict[int, list[Quantity]] = {}
        for entry in counted:
            if entry.status not in _NOT_BACK:
                for line in entry.lines:
                    found.setdefault(line.line_no, []).append(line.quantity)
        return found


def _counts(entry: LedgerReturn, besides: LedgerReturn | None) -> bool:
    return besides is None or (entry.requested_at, entry.id) < (besides.requested_at, besides.id)


def _delivered(
    line: ErpLine, item: Item, arrived: Sequence[Delivery], back: Mapping[int, Sequence[Quantity]]
) -> Delivered:
    came = [
        (delivery, carried)
        for delivery in arrived
        for carried in delivery.shipment.lines
        if carried.line_no == line.line_no
    ]
    times = [_arrival(delivery) for delivery, _ in came]
    return Delivered(
        item=item,
        delivered=sum((_base(carried.quantity, item) for _, carried in came), _NONE),
        returned=sum((_base(quantity, item) for quantity in back.get(line.line_no, ())), _NONE),
        last_at=max(times, default=None),
        lots_known=all(carried.lot is not None for _, carried in came),
    )


def _arrival(delivery: Delivery) -> datetime:
    tracking = delivery.tracking
    told = None if tracking is None else tracking.delivered_at
    return told or delivery.shipment.changed_at


def _base(quantity: Quantity, item: Item) -> Decimal:
    per_base = factor(quantity.uom, item)
    return quantity.value * (Decimal(1) if isinstance(per_base, ValidationFailed) else per_base)


async def change_return(
    use: Dependencies,
    return_id: str,
    changed: Callable[[LedgerReturn], LedgerReturn],
    tell: Callable[[LedgerReturn], Sequence[Event]],
) -> LedgerReturn:
    """Write a change of a return and its events in one commit; one that is there already writes nothing.

    Raises:
        NotFound: there is no such return.
        Conflict: others kept writing in between.
    """
    for _ in range(MAX_WRITES):
        stored = (await use.returns.returns([return_id])).get(return_id)
        if stored is None:
            raise NotFound(SourceSystem.PLATFORM, "change return", f"return {return_id} is not recorded")
        wanted = changed(stored)
        if wanted == stored:
            return stored
        try:
            return await use.returns.update(wanted, tell(wanted))
        except Conflict:
            continue
    raise Conflict(SourceSystem.PLATFORM, "change return", f"return {return_id} changed {MAX_WRITES} times")


def replacement_id(entry: LedgerReturn) -> str:
    """Return the id of the order that replaces what came back."""
    return f"ord_{entry.id}"


def return_event(
    return_id: str, order_id: str, account_id: str, type_: str, key: str, data: Mapping[str, Any], use: Dependencies
) -> Event:
    """Return an event about a return."""
    return Event(
        id=f"rma:{return_id}:{key}",
        source=RETURNS,
        type=type_,
        subject=return_id,
        partition_key=return_id,
        correlation_id=order_id,
        system=SourceSystem.PLATFORM,
        occurred_at=use.clock.now(),
        data={"returnId": return_id, "orderId": order_id, **data},
        account_id=account_id,
    )


def told_by(event: Event, actor: str) -> Event:
    """Return an event as the doing of somebody."""
    return replace(event, actor=actor)
