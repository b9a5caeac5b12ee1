"""P8, inventory sync: the platform's copy of stock follows the warehouse system, and differences come to light.

1. News of a position replaces what is known of it when it is newer. When news in between is missing, the sku is read
   from the warehouse system as a whole.
2. Changes are told at most once a second per sku and warehouse, with the latest figures, in the commit that notes that
   they were told.
3. A reconciliation reads every sku from the warehouse system. A position that differs by more than max(1, 0.5 %), and
   has done so for longer than news takes, is drift: it is told, and a person looks into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from processes.dependencies import Dependencies
from processes.routines import Routine
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.catalog import ItemFilter
from schema.records.inventory import StockPosition
from schema.records.operations import ExceptionTask
from schema.records.values import PageRequest
from systems.errors import ConnectorError
from systems.news import StockNews

__all__ = ["INVENTORY_SYNC", "InventorySync", "is_drift"]

SKUS_AT_ONCE = 200
"""Skus that a reconciliation reads at once."""

TOLD_AT_ONCE = 500
"""Changes that are told in one commit."""

TELL_S = 1.0
"""How often changes of stock are told; what changes more often is told with its latest figures."""

RECONCILE_S = 3_600.0
"""How often the copy of stock is compared with the warehouse system, which also fills it at the start."""

NEWS_TAKES = timedelta(minutes=1)
"""News of a change that is older than this should have arrived; later changes may still be on their way."""

TASK_DUE = timedelta(hours=8)
"""A difference is looked into within this time."""

PAUSE_S = 0.05
"""Pause between reads of a reconciliation, so that it never crowds out those who wait for an answer."""

_LEAST, _SHARE = Decimal(1), Decimal("0.005")
_log = structlog.get_logger("crossdock.stock")


class InventorySync:
    """Keeps the copy of stock in step with the warehouse system.

    Args:
        use: systems and ledgers.
    """

    def __init__(self, use: Dependencies) -> None:
        self._use = use

    async def handle(self, news: StockNews) -> None:
        """Take note of news; news that came late changes nothing.

        Cancel/retry: safe to repeat.

        Raises:
            ConnectorError: the platform's own ledgers do not answer.
        """
        position = news.position
        known = await self._use.stock.positions([position.sku])
        before = next((e for e in known[position.sku] if e.warehouse_code == position.warehouse_code), None)
        await self._use.stock.record([position], self._use.clock.now())
        if before is not None and position.sequence > before.sequence + 1:
            await self._read([position.sku])

    async def tell(self) -> None:
        """Tell of every position that has changed since the last time."""
        while await self._use.stock.tell(_changed, TOLD_AT_ONCE) == TOLD_AT_ONCE:
            pass

    async def reconcile(self) -> int:
        """Read the stock of every item and return at how many positions it differed.

        Raises:
            ConnectorError: a system does not answer; what was read until then is noted.
        """
        differing, after = 0, None
        await self._use.wms.warehouses()
        while True:
            page = await self._use.erp.search_items(ItemFilter(), PageRequest(SKUS_AT_ONCE, after))
            differing += await self._compare([item.sku for item in page.items])
            if not page.has_next or not page.cursors:
                break
            after = page.cursors[-1]
            await asyncio.sleep(PAUSE_S)
        if differing:
            _log.warning("stock differed from the warehouse system", positions=differing)
        return differing

    async def _read(self, skus: Sequence[str]) -> None:
        """Read skus as a whole; while the warehouse system is away, the next reconciliation does it."""
        now = self._use.clock.now()
        try:
            found = await self._use.wms.stock(skus)
        except ConnectorError as error:
            _log.warning("a gap in stock news stays open", skus=len(skus), error=str(error))
            return
        await self._use.stock.record([entry for entry in found if entry.read_at is None], now)

    async def _compare(self, skus: Sequence[str]) -> int:
        now = self._use.clock.now()
        known = await self._use.stock.positions(skus)
        told = [entry for entry in await self._use.wms.stock(skus) if entry.read_at is None]
        copies = {(entry.sku, entry.warehouse_code): entry for entries in known.values() for entry in entries}
        drifted = [(copy, entry) for entry, copy in _pairs(told, copies) if is_drift(copy, entry, now)]
        for copy, entry in drifted:
            await self._ask(copy, entry, now)
        await self._use.stock.record(told, now)
        return len(drifted)

    async def _ask(self, copy: StockPosition, told: StockPosition, now: datetime) -> None:
        place = f"{told.sku}:{told.warehouse_code}"
        said = f"stock of {told.sku} in {told.warehouse_code}: {copy.on_hand} known here, {told.on_hand} in the WMS"
        task = ExceptionTask(
            id=f"tsk_drift_{place}:{told.sequence}",
            queue="INVENTORY",
            kind="StockDrift",
            state="OPEN",
            order_id=None,
            account_id=None,
            process_id=None,
            summary=said,
            opened_at=now,
            due_at=now + TASK_DUE,
            assignee=None,
            resolutions=("ACCEPT", "RECOUNT"),
            warehouse_code=told.warehouse_code,
        )
        facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
        figures = {"known": str(copy.on_hand), "told": str(told.on_hand)}
        events = [
            _event(told, "inventory.drift.detected", f"drift:{place}:{told.sequence}", now, figures),
            _event(told, "task.opened", task.id, now, facts),
        ]
        await self._use.tasks.open_task(task, events)


# fmt: off
INVENTORY_SYNC: tuple[Routine, ...] = (
    Routine("handle",    SourceSystem.WMS,      InventorySync.handle),
    Routine("tell",      SourceSystem.PLATFORM, InventorySync.tell,      every_s=TELL_S),
    Routine("reconcile", SourceSystem.WMS,      InventorySync.reconcile, every_s=RECONCILE_S),
)
# fmt: on
"""The process: name, system, what is done, and how often; nothing is taken back: newer figures replace older ones."""


def is_drift(copy: StockPosition, told: StockPosition, now: datetime) -> bool:
    """Return whether a copy differs from what is told by more than it may, for longer than news takes.

    Figures that differ under one sequence are drift at once: no news is on its way that could explain it.
    """
    if told.sequence < copy.sequence:
        return False
    if told.sequence > copy.sequence and now - told.as_of <= NEWS_TAKES:
        return False
    allowed = max(_LEAST, abs(told.on_hand) * _SHARE)
    return abs(copy.on_hand - told.on_hand) > allowed or abs(copy.allocated - told.allocated) > allowed


def _pairs(
    told: Sequence[StockPosition], copies: Mapping[tuple[str, str], StockPosition]
) -> Sequence[tuple[StockPosition, StockPosition]]:
    found = ((entry, copies.get((entry.sku, entry.warehouse_code))) for entry in told)
    return [(entry, copy) for entry, copy in found if copy is not None]


def _changed(position: StockPosition) -> Event:
    free = position.on_hand - position.blocked - position.allocated - position.safety_stock
    place = f"{position.sku}:{position.warehouse_code}"
    facts = {
        "onHand": str(position.on_hand),
        "allocated": str(position.allocated),
        "available": str(max(free, Decimal(0))),
        "uom": position.uom,
        "sequence": position.sequence,
        "receivedAt": None if position.read_at is None else position.read_at.isoformat(),
    }
    name = f"wms:{place}:{position.sequence}"
    return _event(position, "inventory.position.changed", name, position.as_of, facts)


def _event(position: StockPosition, type_: str, name: str, at: datetime, facts: Mapping[str, object]) -> Event:
    place = f"{position.sku}:{position.warehouse_code}"
    return Event(
        id=name,
        source="/dist/inventory",
        type=type_,
        subject=place,
        partition_key=place,
        correlation_id=place,
        system=SourceSystem.WMS,
        occurred_at=at,
        data={"sku": position.sku, "warehouseCode": position.warehouse_code, **facts},
    )
