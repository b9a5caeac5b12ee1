"""What the types of inventory ask of the request that they are resolved in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from schema.records.identity import Principal
from schema.records.inventory import Availability, InboundSupply, Reservation, StockPosition, Warehouse
from schema.records.problems import ValidationFailed
from schema.records.values import Address, Freshness, ItemUom, Money, Quantity

__all__ = ["InventoryContext", "InventoryReading", "Promise", "Ranked", "Supply"]


@dataclass(frozen=True, slots=True)
class Supply:
    """What is known of one item's supply; ``is_inbound_known`` is False while the ERP is away.

    ``fresh_for`` is how old a copy of its stock may be; none where the warehouse system was asked.
    """

    positions: tuple[StockPosition, ...]
    soft: Mapping[tuple[str, str], Decimal]
    inbound: tuple[InboundSupply, ...]
    is_inbound_known: bool
    fresh_for: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Promise:
    """A question about availability; base unit and units are the item's, as the catalog tells them.

    ``warehouse_code`` asks for what one warehouse can give, None for all of them together.
    """

    sku: str
    base_uom: str
    uoms: tuple[ItemUom, ...]
    quantity: Quantity
    needed_by: date | None = None
    ship_to_id: str | None = None
    warehouse_code: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A warehouse as a source for a place: working days on the way, estimated freight of the smallest parcel."""

    warehouse: Warehouse
    transit_days: int
    freight: Money


class InventoryReading(Protocol):
    """Reads of one request, batched; None means that there is nothing which the principal may see."""

    @property
    def now(self) -> datetime:
        """When the request is answered."""
        ...

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse."""
        ...

    async def warehouse(self, code: str) -> Warehouse | None:
        """Return a warehouse by code."""
        ...

    async def supply(self, sku: str) -> Supply | None:
        """Return the stock figures of an item."""
        ...

    async def position(self, sku: str, code: str) -> StockPosition | None:
        """Return one stock position."""
        ...

    def freshness(self, position: StockPosition, supply: Supply) -> Freshness:
        """Return how old a position's figures are."""
        ...

    async def availability(self, promise: Promise) -> Availability | ValidationFailed:
        """Return how much can be promised, or what is wrong with the question."""
        ...

    async def sources(self, address: Address) -> tuple[Ranked, ...]:
        """Return warehouses for a place, nearest first."""
        ...

    async def reservation(self, reservation_id: str) -> Reservation | None:
        """Return a reservation."""
        ...


class InventoryContext(Protocol):
    """The context of an operation on the inventory subgraph."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def reader(self) -> InventoryReading:
        """Reads of the request."""
        ...
