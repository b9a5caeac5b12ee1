"""Completing an order: everything is delivered, and billed as it was delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from processes.dependencies import Dependencies
from processes.order_case import AMENDING
from processes.steps import DONE, Outcome, Verdict
from schema.enums import OrderStatus, ShipmentStatus, SourceSystem
from schema.events.envelope import Event
from schema.orders.delivery import has_arrived, status_of
from schema.orders.views import Delivery
from schema.records.orders import ErpLine, LedgerOrder
from schema.records.problems import InvoiceMismatch
from systems.errors import Unavailable

__all__ = ["CompletesOrders", "complete_order"]


class CompletesOrders(Protocol):
    """What completing an order wants of a process's case."""

    use: Dependencies

    @property
    def order_id(self) -> str:
        """The order."""
        ...

    async def order(self) -> LedgerOrder | None:
        """Return the order as the ledger has it."""
        ...

    async def change(
        self, changed: Callable[[LedgerOrder], LedgerOrder], tell: Callable[[LedgerOrder], Sequence[Event]]
    ) -> object:
        """Write a change of the order and its events in one commit."""
        ...

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of the story."""
        ...


async def complete_order(case: CompletesOrders) -> Outcome:
    """Complete the order when everything is delivered and invoiced, and every invoice fits.

    Raises:
        Unavailable: the order waits to be changed or cancelled, which may be refused; the runner looks again.
    """
    order = await case.order()
    if order is not None and order.status in AMENDING:
        said = f"order {order.number} is {order.status.value}"
        raise Unavailable(SourceSystem.PLATFORM, "complete order", said, outcome_unknown=False)
    if order is None or order.status is not OrderStatus.ACCEPTED:
        return Outcome(Verdict.SKIPPED, note="the order is not open here")
    if _is_disputed(order):
        return Outcome(Verdict.SKIPPED, note="an invoice does not fit the order")
    shipments = (await case.use.wms.shipments_of([case.order_id])).get(case.order_id, ())
    loads = await case.use.tms.tracking([entry.number for entry in shipments])
    going = [Delivery(entry, loads.get(entry.number)) for entry in shipments]
    going = [entry for entry in going if status_of(entry) is not ShipmentStatus.CANCELLED]
    document = (await case.use.erp.orders([case.order_id])).get(case.order_id)
    is_there = bool(going) and all(has_arrived(entry) for entry in going)
    if not is_there or document is None or not all(_is_settled(line) for line in document.lines):
        return Outcome(Verdict.SKIPPED, note="not everything is delivered and invoiced yet")
    now = case.use.clock.now()

    def tell(stored: LedgerOrder) -> Sequence[Event]:
        facts = {"number": stored.number, "status": stored.status.value}
        return [case.news("order.completed", "order-completed", facts)]

    def changed(stored: LedgerOrder) -> LedgerOrder:
        # An invoice that does not fit may have come while the systems were asked.
        if stored.status is not OrderStatus.ACCEPTED or _is_disputed(stored):
            return stored
        return replace(stored, status=OrderStatus.COMPLETED, completed_at=now)

    await case.change(changed, tell)
    return DONE


def _is_disputed(order: LedgerOrder) -> bool:
    return any(isinstance(entry, InvoiceMismatch) for entry in order.exceptions)


def _is_settled(line: ErpLine) -> bool:
    return line.invoiced >= line.ordered - line.cancelled
