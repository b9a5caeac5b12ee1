"""Goods that are not picked when their cut-off comes near are asked about (P4), once per shipment, until they are.

Releases come from the event log, in its order, and so does whether they were picked. The place up to which all are
over is kept: what is behind it is looked at again, because cut-offs come in another order than releases. The question
stands on the order, too, and is withdrawn when the goods are picked or the order does not want them any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from events.ports import EventLog
from processes.dependencies import Dependencies
from processes.invoice_watch import pass_over
from processes.questions import Delay, Question, ask_about_delay, asked, lift_delay, warehouses_by_code
from processes.rules.calendar import cutoff_at
from processes.rules.delays import leaves_on, pick_by
from schema.enums import ShipmentStatus
from schema.events.envelope import Event, EventFilter, StoredEvent
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from systems.ports import FeedCursors

__all__ = ["DUE", "PickWatch", "pass_over_releases"]

QUEUE = "FULFILMENT"
DUE = timedelta(hours=4)
"""What is not picked is looked at within this time: by then its cut-off has come."""

RESOLUTIONS = ("INFORM_CUSTOMER", "WAIT")

FEED = "releases.picked"
"""Name of the place up to which all releases were picked or asked about."""

AT_ONCE = 200
"""Releases that are read at once."""

MAX_READ = 2_000
"""Releases, or tasks, that one look goes through; what is behind them is seen when these are fewer."""

LOOKED_BACK = timedelta(days=7)
"""Goods that had to be picked longer ago are not asked about: a past that is read late would ask about all of it."""

_RELEASED = EventFilter(types=("order.released",))
MAX_RELEASES = 1_000
"""Releases of one order that are looked through for that of a shipment."""

MAX_NEWS = 20
"""News of a shipment that are looked through for one that says more than that it was released."""

_NEWS = ("shipment.milestone", "shipment.picked", "shipment.packed", "shipment.shipped", "shipment.delivered")
_NOT_PICKED = (ShipmentStatus.PLANNED, ShipmentStatus.RELEASED)
_MARK = "_pick"
_REASON = "NOT_PICKED"


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
        warehouses, found, read, is_over = await warehouses_by_code(self._use), 0, 0, True
        while read < MAX_READ:
            page = await self._use.events.read_on(_RELEASED, place, AT_ONCE)
            count, over = await self._ask(page, warehouses)
            found, read = found + count, read + len(page)
            if is_over and over:
                await self._use.cursors.move(FEED, page[over - 1].position)
            is_over = is_over and over == len(page)
            if len(page) < AT_ONCE:
                break
            place = page[-1].position
        await self._withdraw()
        return found

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
        number = event.data["shipmentNumber"]
        question = Question(
            id=_task_id(event),
            queue=QUEUE,
            kind="FulfillmentDelay",
            order_id=order.id,
            account_id=order.account_id,
            summary=f"shipment {number} of order {order.number} is not picked in {event.data['warehouse']}: "
            f"that had to be by {latest.isoformat()}",
            due=DUE,
            resolutions=RESOLUTIONS,
            warehouse_code=event.data["warehouse"],
        )
        await ask_about_delay(self._use, question, Delay(f"sh_{number}", _REASON), latest)

    async def _withdraw(self) -> None:
        """Resolve what was asked about goods that are picked now, or wanted no longer."""
        for task in await asked(self._use, QUEUE, _MARK, MAX_READ):
            shipment_id = _shipment_of(task)
            if await self._is_over(shipment_id) or not await self._is_wanted(task, shipment_id):
                delay = Delay(shipment_id, _REASON)
                await lift_delay(self._use, task, delay, "PICKED", "the goods are picked, or wanted no longer")

    async def _is_wanted(self, task: ExceptionTask, shipment_id: str) -> bool:
        """Return whether the order still wants what was released; nobody may tell when a change has dropped it."""
        order = (await self._use.orders.orders([str(task.order_id)])).get(str(task.order_id))
        told = EventFilter(types=_RELEASED.types, partition_key=str(task.order_id))
        released = [stored.event for stored in await self._use.events.read(told, None, MAX_RELEASES)]
        mine = next((event for event in released if f"sh_{event.data.get('shipmentNumber')}" == shipment_id), None)
        return order is None or mine is None or _leaves_on(mine, order) is not None


async def pass_over_releases(events: EventLog, cursors: FeedCursors) -> None:
    """Take every release as looked at: a past that was brought in is over."""
    await pass_over(events, cursors, FEED, _RELEASED)


def _pick_by(event: Event, order: LedgerOrder, warehouses: Mapping[str, Warehouse]) -> datetime | None:
    """Return until when what was released has to be picked, None when that is wanted no longer."""
    day = _leaves_on(event, order) if event.data.get("shipmentNumber") else None
    place = warehouses.get(str(event.data.get("warehouse")))
    return None if day is None else pick_by(cutoff_at(place, day), event.occurred_at)


def _leaves_on(event: Event, order: LedgerOrder) -> date | None:
    return leaves_on(order, str(event.data.get("warehouse")), event.id.rpartition(":")[2])


def _task_id(event: Event) -> str:
    return f"tsk_sh_{event.data.get('shipmentNumber')}{_MARK}"


def _shipment_of(task: ExceptionTask) -> str:
    return task.id.removeprefix("tsk_").removesuffix(_MARK)
