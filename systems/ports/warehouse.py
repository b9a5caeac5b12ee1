"""What is wanted of the warehouse system, and the platform's copy of its stock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from schema.events.envelope import Event
from schema.records.inventory import StockPosition, Warehouse
from schema.records.orders import ReleaseLine, Shipment
from schema.records.returns import ExpectedReturn


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Goods of one order to pick at one warehouse. ``key`` is ``or:{id}:rel:{wh}:{n}``."""

    key: str
    order_id: str
    order_number: str
    account_id: str
    warehouse_code: str
    ship_to_id: str
    ship_date: date
    requested_delivery: date | None
    lines: tuple[ReleaseLine, ...]


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """What the WMS made of a release."""

    release_id: str
    shipment_number: str
    state: str


class HoldOutcome(StrEnum):
    """What became of holding a release."""

    HELD = "HELD"
    """Nobody picks it until it is resumed."""

    PICKED = "PICKED"
    """It is being picked already, or further, and goes on."""

    GONE = "GONE"
    """There is nothing to hold: it was never released, or is cancelled."""


class WarehouseFloor(Protocol):
    """Stock and shipments. System of record: WMS."""

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse by code."""
        ...

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        """Return positions of these skus, by sku and warehouse; ``warehouse_codes`` None means every warehouse."""
        ...

    async def release(self, request: ReleaseRequest) -> ReleaseResult:
        """Release an order for picking, or return what its key released before."""
        ...

    async def cancel_release(self, key: str) -> bool:
        """Cancel a release. Return False when it was picked already and stays."""
        ...

    async def hold_release(self, key: str) -> HoldOutcome:
        """Keep a release from being picked until it is resumed or cancelled; safe to repeat."""
        ...

    async def resume_release(self, key: str) -> None:
        """Let a held release be picked; one that is not held, or unknown, stays as it is."""
        ...

    async def expect_return(self, expected: ExpectedReturn) -> None:
        """Have a warehouse expect a return, once per key."""
        ...

    async def cancel_return(self, key: str) -> bool:
        """Have a return expected no more. Return False when it has arrived already."""
        ...

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        """Return shipments by platform id."""
        ...

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        """Return shipments per order, oldest first."""
        ...


class StockBook(Protocol):
    """Stock as the WMS last told it: a copy for when it gives no answer. System of record: WMS."""

    async def positions(self, skus: Sequence[str]) -> Mapping[str, tuple[StockPosition, ...]]:
        """Return the known positions per sku by warehouse, with the time at which they were read."""
        ...

    async def record(self, positions: Sequence[StockPosition], read_at: datetime) -> None:
        """Take note of positions as they were at a time; older ones change nothing, known ones are confirmed."""
        ...

    async def tell(self, made: Callable[[StockPosition], Event], limit: int) -> int:
        """Tell of at most ``limit`` positions that have changed since they were last told of; return how many."""
        ...
