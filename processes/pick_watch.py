"""Goods that are not picked when their cut-off comes near are asked about (P4), once per shipment, until they are.

Releases come from the event log, in its order, and so does whether they were picked. The place up to which all are
over is kept: what is behind it is looked at again, because cut-offs come in another order than releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from events.ports import EventLog
from processes.dependencies import Dependencies
from processes.invoice_watch import pass_over
from processes.rules.calendar import cutoff_at
from processes.rules.delays import leaves_on, pick_by
from processes.task_news import CLAIMED, resolve_tasks, task_event
from schema.enums import ShipmentStatus
from schema.events.envelope import Event, EventFilter, StoredEvent
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from schema.records.values import PageRequest
from systems.errors import ConnectorError
from systems.ports import FeedCursors

__all__ = ["DUE", "PickWatch", "pass_over_releases"]

QUEUE = "FULFILMENT"
DUE = timedelta(hours=4)
"""What is not picked is looked at within this time: by then its cut-off has come."""

RESOLUTIONS = ("INFORM_CUSTOMER", "WAIT")

FEED = "releases.picked"
"""Name of the place up to which all releases were picked or asked about."""

AT_ONCE = 200
"""Releases, or tasks, that are read at once."""

MAX_READ = 2_000
"""Releases, or tasks, that one look goes through; what is behind them is seen when these are fewer."""

LOOKED_BACK = timedelta(days=7)
"""Goods that had to be picked longer ago are not asked about: a past that is read late would ask about all of it."""

_RELEASED = EventFilter(types=("order.released",))
MAX_NEWS = 20
"""News of a shipment that are looked through for one that says more than that it was released."""

_NEWS = ("shipment.milestone", "shipment.picked", "shipment.packed", "shipment.shipped", "shipment.delivered")
_NOT_PICKED = (ShipmentStatus.PLANNED, ShipmentStatus.RELEASED)
_MARK = "_pick"
_SYSTEM = "system:crossdock"


class PickWatch:
    """Looks which released goods have to be picked by now and are not.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Ask about goods that are not picked in time, withdraw what is over; return how many were asked about.

        Cancel/retry: safe to repeat; a shipment is asked about once.

        Raises:
            ConnectorError: the platform's ledgers do not answer.
        """
        place = await self._use.cursors.place(FEED)
        warehouses, asked, read, is_over = await self._warehouses(), 0, 0, True
        while read < MAX_READ:
            page = await self._use.events.read_on(_RELEASED, place, AT_ONCE)
            count, over = await self._ask(page, warehouses)
            asked, read = asked + count, read + len(page)
            if is_over and over:
                await self._use.cursors.move(FEED, page[over - 1].position)
            is_over = is_over and over == len(page)
            if len(page) < AT_ONCE:
                break
            place = page[-1].position
        await self._withdraw()
        return asked

    async def _warehouses(self) -> Mapping[str, Warehouse]:
        """Return warehouses by code, as far as anybody knows while their system is out."""
        try:
            return {entry.code: entry for entry in await self._use.wms.warehouses()}
        except ConnectorError:
            return {}

    async def _ask(self, page: Sequence[StoredEvent], warehouses: Mapping[str, Warehouse]) -> tuple[int, int]:
        """Return how many were asked about, and how many from the first on are over."""
        use, now = self._use, self._use.clock.now()
        orders = await use.orders.orders(list({stored.event.partition_key for stored in page}))
        known = await use.tasks.tasks([_task_id(stored.event) for stored in page])
        count, over = 0, len(page)
        for index, stored in enumerate(page):
            event = stored.event
            order = orders.get(event.partition_key)
            latest = None if order is None else _pick_by(event, order, warehouses)
            if order is None or latest is None or _task_id(event) in known or latest <= now - LOOKED_BACK:
                continue
            if latest > now:
                over = min(over, index)
            elif not await self._is_over(f"sh_{event.data['shipmentNumber']}"):
                await self._open_task(event, order, latest)
                count += 1
        return count, over

    async def _is_over(self, shipment_id: str) -> bool:
        """Return whether goods are picked, or their shipment is cancelled."""
        told = await self._use.events.read(EventFilter(types=_NEWS, subject=shipment_id), None, MAX_NEWS)
        return any(stored.event.data.get("status") not in _NOT_PICKED for stored in told)

    async def _open_task(self, event: Event, order: LedgerOrder, latest: datetime) -> None:
        now, number = self._use.clock.now(), event.data["shipmentNumber"]
        task = ExceptionTask(
            id=_task_id(event),
            queue=QUEUE,
            kind="FulfillmentDelay",
            state="OPEN",
            order_id=order.id,
            account_id=order.account_id,
            process_id=None,
            summary=f"shipment {number} of order {order.number} is not picked in {event.data['warehouse']}: "
            f"that had to be by {latest.isoformat()}",
            opened_at=now,
            due_at=now + DUE,
            assignee=None,
            resolutions=RESOLUTIONS,
        )
        told = await task_event(self._use, task, "opened", "opened", _SYSTEM, {})
        await self._use.tasks.open_task(task, [told])

    async def _withdraw(self) -> None:
        """Resolve what was asked about goods that are picked now, or wanted no longer."""
        for state in ("OPEN", CLAIMED):
            after: str | None = None
            for _ in range(MAX_READ // AT_ONCE):
                page = await self._use.tasks.search_tasks(QUEUE, state, PageRequest(AT_ONCE, after))
                asked = [task for task in page.items if task.id.endswith(_MARK)]
                over = [task for task in asked if await self._is_over(_shipment_of(task))]
                await resolve_tasks(self._use, over, "PICKED", _SYSTEM, "the goods are picked, or wanted no longer")
                if not page.has_next:
                    break
                after = page.cursors[-1]


async def pass_over_releases(events: EventLog, cursors: FeedCursors) -> None:
    """Take every release as looked at: a past that was brought in is over."""
    await pass_over(events, cursors, FEED, _RELEASED)


def _pick_by(event: Event, order: LedgerOrder, warehouses: Mapping[str, Warehouse]) -> datetime | None:
    """Return until when what was released has to be picked, None when that is wanted no longer."""
    code, round_ = str(event.data.get("warehouse")), event.id.rpartition(":")[2]
    day = leaves_on(order, code, round_) if event.data.get("shipmentNumber") else None
    return None if day is None else pick_by(cutoff_at(warehouses.get(code), day), event.occurred_at)


def _task_id(event: Event) -> str:
    return f"tsk_sh_{event.data.get('shipmentNumber')}{_MARK}"


def _shipment_of(task: ExceptionTask) -> str:
    return task.id.removeprefix("tsk_").removesuffix(_MARK)
