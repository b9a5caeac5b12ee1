"""Releases that wait for the warehouse system are asked about when the cut-off of their warehouse has passed (P3).

Whoever looks needs no answer of that system: what is not released yet stands in the ledgers. The question is withdrawn
when the release is done after all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from processes.dependencies import Dependencies
from processes.rules.calendar import cutoff_at
from processes.task_news import CLAIMED, resolve_tasks, task_event
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from schema.records.values import PageRequest
from systems.errors import ConnectorError
from systems.ports import Place

__all__ = ["DUE", "KIND", "QUEUE", "Missed", "ReleaseWatch", "missed"]

QUEUE = "FULFILMENT"
KIND = "FulfillmentDelay"
DUE = timedelta(hours=4)
"""A release that has missed its cut-off is looked at within this time."""

RESOLUTIONS = ("INFORM_CUSTOMER", "WAIT")
STEPS = ("release",)
"""Names of the steps that release goods, in whatever process."""

AT_ONCE = 200
"""Places, or tasks, that are read at once."""

MAX_READ = 10_000
"""Places, or tasks, that one look goes through; what is behind them is seen when these are fewer."""

MAX_RELEASES = 1_000
"""Releases of one order that are looked through for those that were done."""

_MARK = "_cutoff"
_WITHDRAWN = "RELEASED"
_SYSTEM = "system:crossdock"


@dataclass(frozen=True, slots=True)
class Missed:
    """A cut-off that passed before goods were released: of which warehouse, for which round of releases, and when."""

    warehouse_code: str
    round: int
    at: datetime


def missed(order: LedgerOrder, warehouses: Mapping[str, Warehouse], now: datetime) -> tuple[Missed, ...]:
    """Return the cut-offs of firm goods that have passed, each of a warehouse and round once, the earliest first."""
    latest: dict[tuple[str, int], datetime] = {}
    for line in order.lines:
        for entry in line.allocations:
            if entry.firm:
                key = (entry.warehouse_code, entry.round)
                cutoff = cutoff_at(warehouses.get(entry.warehouse_code), entry.ship_date)
                latest[key] = max(latest.get(key, cutoff), cutoff)
    found = [Missed(code, round_, at) for (code, round_), at in latest.items() if at <= now]
    return tuple(sorted(found, key=lambda entry: (entry.at, entry.warehouse_code, entry.round)))


class ReleaseWatch:
    """Looks which releases have waited for too long.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def look(self) -> int:
        """Ask about releases that have missed their cut-off, withdraw what is over; return how many were asked about.

        Cancel/retry: safe to repeat; a release is asked about once.

        Raises:
            ConnectorError: the platform's ledgers do not answer.
        """
        places = await self._places()
        asked = await self._ask(places) if places else 0
        await self._withdraw({place.process_id for place in places})
        return asked

    async def _places(self) -> list[Place]:
        found: list[Place] = []
        while len(found) < MAX_READ:
            after = found[-1].process_id if found else None
            page = await self._use.lines.places(SourceSystem.WMS, STEPS, after, AT_ONCE)
            found += page
            if len(page) < AT_ONCE:
                break
        return found

    async def _ask(self, places: Sequence[Place]) -> int:
        use, now = self._use, self._use.clock.now()
        warehouses = await self._warehouses()
        known = await use.tasks.tasks([_task_id(place) for place in places])
        orders = await use.orders.orders([place.order_id for place in places if place.order_id is not None])
        count = 0
        for place in places:
            order = orders.get(place.order_id or "")
            if order is None or _task_id(place) in known:
                continue
            late = missed(order, warehouses, now)
            late = await self._unreleased(order, late) if late else ()
            if late:
                await self._open_task(place, order, late)
                count += 1
        return count

    async def _warehouses(self) -> Mapping[str, Warehouse]:
        """Return warehouses by code, as far as anybody knows while their system is out."""
        try:
            return {entry.code: entry for entry in await self._use.wms.warehouses()}
        except ConnectorError:
            return {}

    async def _unreleased(self, order: LedgerOrder, late: Sequence[Missed]) -> tuple[Missed, ...]:
        """Return those of which nothing tells that they were released after all."""
        told = EventFilter(types=("order.released",), partition_key=order.id)
        done = {stored.event.id for stored in await self._use.events.read(told, None, MAX_RELEASES)}
        return tuple(
            entry for entry in late if f"or:{order.id}:released:{entry.warehouse_code}:{entry.round}" not in done
        )

    async def _open_task(self, place: Place, order: LedgerOrder, late: Sequence[Missed]) -> None:
        now = self._use.clock.now()
        codes = ", ".join(dict.fromkeys(entry.warehouse_code for entry in late))
        said = (
            f"order {order.number} waits for the warehouse system to release it in {codes}: "
            f"the cut-off of {late[0].at.isoformat()} has passed"
        )
        task = ExceptionTask(
            id=_task_id(place),
            queue=QUEUE,
            kind=KIND,
            state="OPEN",
            order_id=order.id,
            account_id=order.account_id,
            process_id=place.process_id,
            summary=said,
            opened_at=now,
            due_at=now + DUE,
            assignee=None,
            resolutions=RESOLUTIONS,
        )
        told = await task_event(self._use, task, "opened", "opened", _SYSTEM, {})
        await self._use.tasks.open_task(task, [told])

    async def _withdraw(self, waiting: set[str]) -> None:
        """Resolve what was asked about releases that wait no longer."""
        for state in ("OPEN", CLAIMED):
            after: str | None = None
            for _ in range(MAX_READ // AT_ONCE):
                page = await self._use.tasks.search_tasks(QUEUE, state, PageRequest(AT_ONCE, after))
                over = [task for task in page.items if task.id.endswith(_MARK) and task.process_id not in waiting]
                await resolve_tasks(self._use, over, _WITHDRAWN, _SYSTEM, "the release is done, or wanted no longer")
                if not page.has_next:
                    break
                after = page.cursors[-1]


def _task_id(place: Place) -> str:
    return f"tsk_{place.process_id}{_MARK}"
