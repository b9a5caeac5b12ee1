"""Releases that wait for the warehouse system are asked about when the cut-off of their warehouse has passed (P3).

Whoever looks needs no answer of that system: what is not released yet stands in the ledgers. The question stands on the
order, too, and is withdrawn when the release is done after all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from processes.dependencies import Dependencies
from processes.questions import Delay, Question, ask_about_delay, asked, lift_delay, warehouses_by_code
from processes.return_case import replacement_id
from processes.rules.calendar import cutoff_at
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter
from schema.records.inventory import Warehouse
from schema.records.orders import LedgerOrder
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
"""Places that are read at once."""

MAX_READ = 10_000
"""Places, or tasks, that one look goes through; what is behind them is seen when these are fewer."""

MAX_RELEASES = 1_000
"""Releases of one order that are looked through for those that were done."""

_MARK = "_cutoff"
_WITHDRAWN = "RELEASED"
_DELAY = Delay(None, "CUTOFF_MISSED")


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
        warehouses = await warehouses_by_code(use)
        known = await use.tasks.tasks([_task_id(place) for place in places])
        waiting = await self._orders_of(places)
        orders = await use.orders.orders(list(set(waiting.values())))
        count = 0
        for place in places:
            order = orders.get(waiting.get(place.process_id, ""))
            if order is None or _task_id(place) in known:
                continue
            late = missed(order, warehouses, now)
            late = await self._unreleased(order, late) if late else ()
            if late:
                await self._open_task(place, order, late)
                count += 1
        return count

    async def _orders_of(self, places: Sequence[Place]) -> Mapping[str, str]:
        """Return the order whose goods each process waits to release: of a return the one that replaces what came."""
        returns = await self._use.returns.returns_of_processes([place.process_id for place in places])
        found = {place.process_id: place.order_id for place in places if place.order_id is not None}
        return {**found, **{process_id: replacement_id(entry) for process_id, entry in returns.items()}}

    async def _unreleased(self, order: LedgerOrder, late: Sequence[Missed]) -> tuple[Missed, ...]:
        """Return those of which nothing tells that they were released after all."""
        told = EventFilter(types=("order.released",), partition_key=order.id)
        done = {stored.event.id for stored in await self._use.events.read(told, None, MAX_RELEASES)}
        return tuple(
            entry for entry in late if f"or:{order.id}:released:{entry.warehouse_code}:{entry.round}" not in done
        )

    async def _open_task(self, place: Place, order: LedgerOrder, late: Sequence[Missed]) -> None:
        codes = ", ".join(dict.fromkeys(entry.warehouse_code for entry in late))
        question = Question(
            id=_task_id(place),
            queue=QUEUE,
            kind=KIND,
            order_id=order.id,
            account_id=order.account_id,
            summary=f"order {order.number} waits for the warehouse system to release it in {codes}: "
            f"the cut-off of {late[0].at.isoformat()} has passed",
            due=DUE,
            resolutions=RESOLUTIONS,
            process_id=place.process_id,
        )
        await ask_about_delay(self._use, question, _DELAY, late[0].at)

    async def _withdraw(self, waiting: set[str]) -> None:
        """Resolve what was asked about releases that wait no longer."""
        for task in await asked(self._use, QUEUE, _MARK, MAX_READ):
            if task.process_id not in waiting:
                await lift_delay(self._use, task, _DELAY, _WITHDRAWN, "the release is done, or wanted no longer")


def _task_id(place: Place) -> str:
    return f"tsk_{place.process_id}{_MARK}"
