"""The CRM learns when an order is completed, long after the process that submitted it has ended.

Until then the processes of the order write its summary in the CRM themselves. Completions come from the event log, in
its order; the place up to which they were mirrored is kept. While the CRM is away they wait, and none is lost. An event
says when the CRM had each: the time until then is a service level.
"""

from __future__ import annotations

from datetime import UTC, timedelta

from events.ports import EventLog
from processes.dependencies import Dependencies
from processes.invoice_watch import pass_over
from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter, StoredEvent
from schema.records.operations import DeadLetter
from systems.errors import NotFound, Rejected
from systems.ports import FeedCursors, OrderMirror

__all__ = ["MIRRORED", "CrmMirror", "pass_over_completions"]

MIRRORED = "crm.order.mirrored"

FEED = "crm.orders"
"""Name of the place up to which completions were mirrored."""

AT_ONCE = 100
"""Completions that are mirrored in a row."""

LOOKED_BACK = timedelta(days=1)
"""What was completed longer ago, such as a past that was brought in, is not news for the CRM any more."""

_COMPLETED = EventFilter(types=("order.completed",))


class CrmMirror:
    """Tells the CRM of orders that are completed.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Mirror the next completions, and return how many there were.

        Cancel/retry: safe to repeat; the CRM finds the summary by the order, and an event is told once.

        Raises:
            ConnectorError: CRM, ERP or the platform's ledgers do not answer; what was mirrored until then is noted.
        """
        place = await self._use.cursors.place(FEED)
        found = await self._use.events.read_on(_COMPLETED, place, AT_ONCE)
        since = self._use.clock.now() - LOOKED_BACK
        for stored in found:
            if stored.event.occurred_at > since:
                await self._mirror(stored)
            await self._use.cursors.move(FEED, stored.position)
        return len(found)

    async def _mirror(self, stored: StoredEvent) -> None:
        order_id = stored.event.partition_key
        order = (await self._use.orders.orders([order_id])).get(order_id)
        document = (await self._use.erp.orders([order_id])).get(order_id)
        if order is None or document is None:
            return
        mirror = OrderMirror(
            order_id=order.id,
            number=order.number,
            account_id=order.account_id,
            opportunity_id=order.opportunity_id,
            status=order.status,
            total=document.total,
            promised_date=order.promised_date,
            po_number=order.po_number,
            ordered_on=order.submitted_at.astimezone(UTC).date(),
        )
        try:
            await self._use.crm.mirror_order(f"or:{order_id}:mirror:{order.version}", mirror)
        except (Rejected, NotFound) as error:
            await self._use.dead_letters.put(self._letter(stored, error))
            return
        await self._use.events.append([_mirrored(stored, mirror)])

    def _letter(self, stored: StoredEvent, error: Rejected | NotFound) -> DeadLetter:
        """Return what the CRM does not take, so that a person sees it and the others go on."""
        order_id = stored.event.partition_key
        return DeadLetter(
            id=f"dl_crm_mirror:{order_id}",
            source=SourceSystem.PLATFORM,
            type=MIRRORED,
            reason=error.detail,
            attempts=1,
            first_seen=self._use.clock.now(),
            payload={"orderId": order_id, "eventId": stored.event.id},
            order_id=order_id,
        )


async def pass_over_completions(events: EventLog, cursors: FeedCursors) -> None:
    """Take every order of the log that is completed as mirrored: the CRM has the past that was brought in."""
    await pass_over(events, cursors, FEED, _COMPLETED)


def _mirrored(stored: StoredEvent, mirror: OrderMirror) -> Event:
    event = stored.event
    return Event(
        id=f"crm:{event.id}:mirrored",
        source="/dist/orders",
        type=MIRRORED,
        subject=mirror.order_id,
        partition_key=mirror.order_id,
        correlation_id=event.correlation_id,
        system=SourceSystem.CRM,
        occurred_at=stored.recorded_at,
        data={
            "orderId": mirror.order_id,
            "number": mirror.number,
            "status": mirror.status.value,
            "toldAt": stored.recorded_at.isoformat(),
        },
        account_id=event.account_id,
        causation_id=event.id,
    )
