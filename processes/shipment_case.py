"""One shipment and the order that it belongs to, for the processes that follow from what happens to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from processes.dependencies import Dependencies
from processes.order_writes import change_order
from schema.enums import ProcessState, ShipmentStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ProcessRecord
from schema.records.orders import LedgerOrder, Shipment
from schema.records.problems import Problem

__all__ = ["SHIPMENTS", "ShipmentCase", "ShipmentRequest", "shipment_event"]

SHIPMENTS = "/dist/shipments"
"""Source of events about shipments."""


@dataclass(frozen=True, slots=True)
class ShipmentRequest:
    """Input of a process about a shipment: what happened to it, as its warehouse or carrier said.

    Attributes:
        process_id: the process; made from what happened, so that the same news starts it once.
        kind: name of the process in the log.
        at: when it happened.
    """

    process_id: str
    kind: str
    shipment_number: str
    order_id: str
    account_id: str
    status: ShipmentStatus
    at: datetime
    reason_code: str | None = None
    estimated_delivery: datetime | None = None
    replayed: bool = False
    """Whether this happened a while ago and was handled only now: customers are not told of it any more."""


class ShipmentCase:
    """A run of a process about a shipment."""

    def __init__(self, request: ShipmentRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        self.request = request
        self.use = dependencies
        self.attempt = 1
        self.resumed = resumed
        self.findings: list[Problem] = []
        self.refusal: tuple[Problem, ...] = ()
        self.home_erp: SourceSystem | None = None

    @property
    def shipment_id(self) -> str:
        """Platform id of the shipment."""
        return f"sh_{self.request.shipment_number}"

    @property
    def order_id(self) -> str:
        """Order that the shipment belongs to."""
        return self.request.order_id

    @property
    def account_id(self) -> str:
        """Account that it goes to."""
        return self.request.account_id

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it; it is found under the order."""
        request = self.request
        return ProcessRecord(
            id=request.process_id,
            kind=request.kind,
            business_key=request.order_id,
            state=ProcessState.RUNNING,
            steps=(),
            started_at=request.at,
            due_at=None,
            ended_at=None,
            correlation_id=request.order_id,
            trace_id=None,
            started_by="system:crossdock",
        )

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the shipment's story, in the partition of its order."""
        facts = {"shipmentId": self.shipment_id, "shipmentNumber": self.request.shipment_number, **data}
        return shipment_event(self.request, type_, f"sh:{self.request.shipment_number}:{key}", facts, self.use)

    async def order(self) -> LedgerOrder | None:
        """Return the order as the ledger has it, None when it was never submitted here."""
        return (await self.use.orders.orders([self.order_id])).get(self.order_id)

    async def shipment(self) -> Shipment | None:
        """Return the shipment as the warehouse has it."""
        return (await self.use.wms.shipments([self.shipment_id])).get(self.shipment_id)

    async def change(
        self, changed: Callable[[LedgerOrder], LedgerOrder], tell: Callable[[LedgerOrder], Sequence[Event]]
    ) -> None:
        """Write a change of the order and its events in one commit; orders of elsewhere are let be.

        Raises:
            Conflict: others kept writing in between.
        """
        await change_order(self.use, self.order_id, changed, tell)


def shipment_event(about: ShipmentRequest, type_: str, key: str, data: Mapping[str, Any], use: Dependencies) -> Event:
    """Return an event about a shipment or its order."""
    is_order = type_.startswith("order.")
    event = Event(
        id=key,
        source=SHIPMENTS,
        type=type_,
        subject=about.order_id if is_order else f"sh_{about.shipment_number}",
        partition_key=about.order_id,
        correlation_id=about.order_id,
        system=SourceSystem.PLATFORM,
        occurred_at=use.clock.now(),
        data={"orderId": about.order_id, **data},
        account_id=about.account_id,
    )
    return replace(event, source="/dist/orders") if is_order else event
