"""The warehouse floor with a memory: without an answer of the warehouse system, stock is what it last told.

What was read is remembered per sku, besides the platform's copy that news and reconciliation keep; the later of the two
answers. Everything else goes to the warehouse system alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from schema.records.inventory import StockPosition, Warehouse
from schema.records.orders import Shipment
from schema.records.returns import ExpectedReturn
from systems.errors import ConnectorError
from systems.outage import is_outage
from systems.ports import Clock, HoldOutcome, ReleaseRequest, ReleaseResult, StockBook, WarehouseFloor

__all__ = ["RememberingFloor"]

MAX_SKUS = 20_000
"""Skus whose last reading is remembered; a position takes about 500 bytes."""

_log = structlog.get_logger("crossdock.stock")


class RememberingFloor:
    """:class:`systems.ports.WarehouseFloor` over another one.

    Args:
        floor: the warehouse system.
        book: the platform's copy of its stock.
        clock: says when something was read.
    """

    def __init__(self, floor: WarehouseFloor, book: StockBook, clock: Clock) -> None:
        self._floor = floor
        self._book = book
        self._clock = clock
        self._warehouses: tuple[Warehouse, ...] = ()
        self._seen: OrderedDict[str, tuple[StockPosition, ...]] = OrderedDict()

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse by code, as it was last told when the warehouse system gives no answer."""
        try:
            self._warehouses = await self._floor.warehouses()
        except ConnectorError as error:
            if not is_outage(error) or not self._warehouses:
                raise
        return self._warehouses

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        """Return positions of these skus; those that could not be read now say when they were.

        Raises:
            ConnectorError: the warehouse system gives no answer, and nothing is known of one of the skus.
        """
        try:
            found = await self._floor.stock(skus, warehouse_codes)
        except ConnectorError as error:
            if not is_outage(error):
                raise
            return await self._known(skus, warehouse_codes, error)
        if warehouse_codes is None:
            self._remember(skus, found)
        return found

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        """Return shipments by platform id."""
        return await self._floor.shipments(ids)

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        """Return shipments per order, oldest first."""
        return await self._floor.shipments_of(order_ids)

    async def release(self, request: ReleaseRequest) -> ReleaseResult:
        """Release an order for picking, or return what its key released before."""
        return await self._floor.release(request)

    async def cancel_release(self, key: str) -> bool:
        """Cancel a release. Return False when it was picked already and stays."""
        return await self._floor.cancel_release(key)

    async def hold_release(self, key: str) -> HoldOutcome:
        """Keep a release from being picked until it is resumed or cancelled; safe to repeat."""
        return await self._floor.hold_release(key)

    async def resume_release(self, key: str) -> None:
        """Let a held release be picked; one that is not held, or unknown, stays as it is."""
        await self._floor.resume_release(key)

    async def expect_return(self, expected: ExpectedReturn) -> None:
        """Have a warehouse expect a return, once per key."""
        await self._floor.expect_return(expected)

    async def cancel_return(self, key: str) -> bool:
        """Have a return expected no more. Return False when it has arrived already."""
        return await self._floor.cancel_return(key)

    async def _known(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None, error: ConnectorError
    ) -> tuple[StockPosition, ...]:
        kept = await self._book.positions(skus)
        known = {sku: _later(self._seen.get(sku, ()), kept.get(sku, ())) for sku in dict.fromkeys(skus)}
        if not all(known.values()):
            raise error
        _log.warning("stock as it was last told", skus=len(known), error=str(error))
        return tuple(
            position
            for sku in sorted(known)
            for position in known[sku]
            if warehouse_codes is None or position.warehouse_code in warehouse_codes
        )

    def _remember(self, skus: Sequence[str], found: Sequence[StockPosition]) -> None:
        now, by_sku = self._clock.now(), dict[str, list[StockPosition]]()
        for position in found:
            by_sku.setdefault(position.sku, []).append(replace(position, read_at=now))
        for sku in skus:
            self._seen[sku] = tuple(by_sku.get(sku, ()))
            self._seen.move_to_end(sku)
        while len(self._seen) > MAX_SKUS:
            self._seen.popitem(last=False)


def _later(seen: Sequence[StockPosition], kept: Sequence[StockPosition]) -> tuple[StockPosition, ...]:
    """Return each position as it was told last, by sequence; of the same one when it was confirmed last."""
    latest: dict[str, StockPosition] = {}
    for position in (*seen, *kept):
        before = latest.get(position.warehouse_code)
        if before is None or _rank(position) > _rank(before):
            latest[position.warehouse_code] = position
    return tuple(latest[code] for code in sorted(latest))


def _rank(position: StockPosition) -> tuple[int, float]:
    return position.sequence, 0.0 if position.read_at is None else position.read_at.timestamp()
