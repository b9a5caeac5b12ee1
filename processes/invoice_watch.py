"""What has left a warehouse is invoiced within hours (P5): a shipment that is not billed by then is asked about.

Shipments come from the event log, in its order; the place up to which they were looked at is kept, so that each is
looked at once its time is over, by whichever program is there then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from events.ports import EventLog
from processes.dependencies import Dependencies
from processes.invoice_facts import shipped_of
from processes.invoice_tasks import DUE, QUEUE
from processes.questions import Question, ask, heard_at
from processes.task_news import resolve_tasks_of
from schema.events.envelope import EventFilter, StoredEvent
from schema.records.orders import ErpOrder
from systems.ports import FeedCursors

__all__ = ["INVOICE_AFTER", "INVOICE_MISSING", "InvoiceWatch", "pass_over", "settle_missing"]

INVOICE_AFTER = timedelta(hours=4)
"""A shipment is invoiced this long after it has left."""

LOOKED_BACK = timedelta(days=7)
"""Shipments that left longer ago are not asked about: by then they are finance's to reconcile."""

AT_ONCE = 100
"""Shipments that are looked at together."""

FEED = "shipments.invoiced"
"""Name of the place up to which shipments were looked at."""

INVOICE_MISSING = "InvoiceMissing"
"""Kind of a task about goods that have left and are not billed."""

_SHIPPED = EventFilter(types=("shipment.shipped",))


class InvoiceWatch:
    """Looks whether what has left is invoiced.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Look at the next shipments whose time is over, and return how many there were.

        Cancel/retry: safe to repeat; a shipment that is looked at twice is asked about once.

        Raises:
            ConnectorError: a system or the platform's ledgers do not answer.
        """
        now = self._use.clock.now()
        place = await self._use.cursors.place(FEED)
        due = []
        for stored in await self._use.events.read_on(_SHIPPED, place, AT_ONCE):
            # One that is of the future by its own word must not keep those behind it from being looked at.
            if min(stored.event.occurred_at, heard_at(stored)) > now - INVOICE_AFTER:
                break
            due.append(stored)
        await self._ask([stored for stored in due if stored.event.occurred_at > now - LOOKED_BACK])
        if due:
            await self._use.cursors.move(FEED, due[-1].position)
        return len(due)

    async def _ask(self, shipments: Sequence[StoredEvent]) -> None:
        orders = await self._use.erp.orders(list({stored.event.partition_key for stored in shipments}))
        for stored in shipments:
            order = orders.get(stored.event.partition_key)
            if order is not None and await _is_unbilled(self._use, order):
                await self._open_task(stored, order)

    async def _open_task(self, stored: StoredEvent, order: ErpOrder) -> None:
        number = stored.event.data.get("shipmentNumber")
        question = Question(
            id=f"tsk_inv_missing_{number}",
            queue=QUEUE,
            kind=INVOICE_MISSING,
            order_id=order.id,
            account_id=order.account_id,
            summary=f"shipment {number} of order {order.number} left at {stored.event.occurred_at:%Y-%m-%d %H:%M} UTC "
            f"and is not invoiced",
            due=DUE,
            resolutions=("INVOICED", "NOT_BILLABLE"),
        )
        await ask(self._use, question)


async def pass_over(events: EventLog, cursors: FeedCursors, feed: str = FEED, where: EventFilter = _SHIPPED) -> None:
    """Take every event of a feed as looked at, by default every shipment: a past that was brought in is over."""
    place = await cursors.place(feed)
    while found := await events.read_on(where, place, AT_ONCE):
        place = found[-1].position
    await cursors.move(feed, place)


async def _is_unbilled(use: Dependencies, order: ErpOrder) -> bool:
    """Return whether more of an order has left the warehouses than its invoices bill."""
    if all(line.invoiced >= line.ordered - line.cancelled for line in order.lines):
        return False
    gone = await shipped_of(use, order)
    return any(gone.get(line.line_no, Decimal(0)) > line.invoiced for line in order.lines)


async def settle_missing(use: Dependencies, order_id: str) -> None:
    """Settle what was asked about invoices that were missing, when everything that has left is billed."""
    asked = (await use.tasks.tasks_of([order_id]))[order_id]
    if not any(task.kind == INVOICE_MISSING and task.state != "RESOLVED" for task in asked):
        return
    order = (await use.erp.orders([order_id])).get(order_id)
    if order is not None and not await _is_unbilled(use, order):
        await resolve_tasks_of(use, order_id, [INVOICE_MISSING], "INVOICED", "the invoice is posted")
