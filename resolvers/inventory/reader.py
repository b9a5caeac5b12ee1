"""Everything that one request reads of stock, batched: one call per system, however many items are asked for.

Stock comes from the warehouse system; while that is away it is as it was last told, and the answer says so. Inbound
supply comes from the ERP; while that is away only what is in stock is promised, and the answer says so too. Items and
delivery places hardly change, so those that were read within a day are good enough while the ERP is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import structlog
from aiodataloader import DataLoader

from processes.rules.atp import evaluate
from processes.rules.staleness import STALE_AFTER, freshness_of, safe
from processes.rules.supply import is_open
from processes.rules.transit import estimate_freight, transit_days
from processes.rules.uom import Units
from resolvers.access import can_see, is_customer
from resolvers.days import has_passed
from resolvers.envelopes import broken_rule
from resolvers.inventory.ports import InventoryPorts
from resolvers.timing import timed
from schema.inventory.context import Promise, Ranked, Supply
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.identity import Principal
from schema.records.inventory import Availability, InboundSupply, Reservation, StockPosition, Warehouse
from schema.records.problems import ValidationFailed
from schema.records.values import Address, Freshness
from systems.errors import ConnectorError
from systems.memory import Recollection

__all__ = ["InventoryReader"]

SMALLEST_PARCEL_KG = Decimal(1)
"""Weight for which freight is estimated while nobody knows what will be sent."""

BLOCKED = "All"
"""Block of a customer with whom there is no business any more, such as one that was merged into another."""

_ALL = "all"
_log = structlog.get_logger("crossdock.inventory")


class InventoryReader:
    """Reads stock and reservations, for one request of one principal."""

    def __init__(self, ports: InventoryPorts, principal: Principal) -> None:
        self.ports = ports
        self.principal = principal
        self.now: datetime = ports.clock.now()
        self._seen = Recollection(ports.memory, self.now)
        self._warehouses: DataLoader[str, tuple[Warehouse, ...]] = DataLoader(self._load_warehouses)
        self._stock: DataLoader[str, tuple[StockPosition, ...]] = DataLoader(self._load_stock)
        self._soft: DataLoader[str, Mapping[tuple[str, str], Decimal]] = DataLoader(self._load_soft)
        self._inbound: DataLoader[str, tuple[InboundSupply, ...] | None] = DataLoader(self._load_inbound)
        self._ship_tos: DataLoader[str, ShipTo | None] = DataLoader(self._load_ship_tos)
        self._items: DataLoader[str, Item | None] = DataLoader(self._load_items)
        self._reservations: DataLoader[str, Reservation | None] = DataLoader(self._load_reservations)

    async def has_account(self, account_id: str) -> bool:
        """Return whether goods may be held for an account: the ERP knows it, or is away and nobody can tell."""
        try:
            found = (await self.ports.customers.terms([account_id])).get(account_id)
        except ConnectorError as error:
            _log.warning("reserving for an account that is not checked", account=account_id, error=str(error))
            return True
        return found is not None and found.blocked != BLOCKED

    async def warehouses(self) -> tuple[Warehouse, ...]:
        """Return every warehouse by code."""
        return await self._warehouses.load(_ALL)

    async def warehouse(self, code: str) -> Warehouse | None:
        """Return the warehouse with this code."""
        return next((entry for entry in await self.warehouses() if entry.code == code), None)

    async def supply(self, sku: str) -> Supply | None:
        """Return the stock figures of an item, None to customers.

        Raises:
            ConnectorError: the warehouse system or the platform's ledger does not answer.
        """
        return None if is_customer(self.principal) else await self.known_supply(sku)

    async def position(self, sku: str, code: str) -> StockPosition | None:
        """Return one stock position, None when there is none or to customers."""
        supply = await self.supply(sku)
        positions = () if supply is None else supply.positions
        return next((entry for entry in positions if entry.warehouse_code == code), None)

    def freshness(self, position: StockPosition, supply: Supply) -> Freshness:
        """Return how old a position's figures are."""
        return freshness_of([position], self.now, is_inbound_known=supply.is_inbound_known, fresh_for=supply.fresh_for)

    async def told_position(self, sku: str, code: str) -> tuple[StockPosition, Supply] | None:
        """Return a position as news have it, with what is known of the item's supply besides; None to customers.

        Nothing is asked of the warehouse system: there are many events, and each brought its figures along.
        """
        if is_customer(self.principal):
            return None
        known = (await self.ports.stock.positions([sku])).get(sku, ())
        position = next((entry for entry in known if entry.warehouse_code == code), None)
        if position is None:
            return None
        soft, inbound = await asyncio.gather(self._soft.load(sku), self._inbound.load(sku))
        return position, Supply(known, soft, inbound or (), inbound is not None, fresh_for=STALE_AFTER)

    async def known_supply(self, sku: str) -> Supply:
        """Return what is known of an item's supply, for rules; figures of it are not for everybody.

        Raises:
            ConnectorError: the warehouse system or the platform's ledger does not answer.
        """
        positions, soft, inbound = await asyncio.gather(
            self._stock.load(sku), self._soft.load(sku), self._inbound.load(sku)
        )
        return Supply(positions, soft, inbound or (), inbound is not None)

    async def availability(self, promise: Promise) -> Availability | ValidationFailed:
        """Return how much of an item can be promised, from where and when; a wrong question says what is wrong.

        Raises:
            ConnectorError: a system that must answer does not.
        """
        return await timed(self.ports.served, self._availability(promise))

    async def _availability(self, promise: Promise) -> Availability | ValidationFailed:
        if promise.needed_by is not None and has_passed(promise.needed_by, self.now):
            return broken_rule("DATE_IN_PAST", f"{promise.needed_by} has passed", "neededBy")
        ship_to, supply, warehouses = await asyncio.gather(
            self._place(promise.ship_to_id), self.known_supply(promise.sku), self.warehouses()
        )
        if promise.ship_to_id is not None and ship_to is None:
            return broken_rule("UNKNOWN_SHIP_TO", f"ship-to {promise.ship_to_id} does not exist", "shipToId")
        answer = evaluate(
            promise.sku,
            promise.quantity,
            item=Units(promise.base_uom, promise.uoms),
            positions=safe(supply.positions, self.now),
            soft=supply.soft,
            inbound=supply.inbound,
            demand=(),
            warehouses=[entry for entry in warehouses if promise.warehouse_code in (None, entry.code)],
            ship_to=ship_to,
            now=self.now,
            needed_by=promise.needed_by,
            freshness=freshness_of(supply.positions, self.now, is_inbound_known=supply.is_inbound_known),
        )
        return self._capped(answer)

    async def sources(self, address: Address) -> tuple[Ranked, ...]:
        """Return open warehouses for a place, nearest first."""
        ranked = []
        for warehouse in await self.warehouses():
            if is_open(warehouse):
                days = transit_days(warehouse.address, address)
                ranked.append(Ranked(warehouse, days, estimate_freight(days, SMALLEST_PARCEL_KG)))
        return tuple(sorted(ranked, key=lambda entry: (entry.transit_days, entry.warehouse.code)))

    async def item(self, sku: str) -> Item | None:
        """Return an item with its units."""
        return await self._items.load(sku)

    async def reservation(self, reservation_id: str) -> Reservation | None:
        """Return a reservation, None when there is none that the principal may see."""
        found = await self._reservations.load(reservation_id)
        return found if found is not None and can_see(self.principal, found.account_id) else None

    async def _place(self, ship_to_id: str | None) -> ShipTo | None:
        if ship_to_id is None:
            return None
        found = await self._ship_tos.load(ship_to_id)
        return found if found is not None and can_see(self.principal, found.account_id) else None

    def _capped(self, answer: Availability | ValidationFailed) -> Availability | ValidationFailed:
        """Tell customers no more than that what they asked for is there."""
        if isinstance(answer, ValidationFailed) or not is_customer(self.principal):
            return answer
        most = min(answer.available_now.value, answer.requested.value)
        return replace(answer, available_now=replace(answer.available_now, value=most))

    async def _load_warehouses(self, keys: list[str]) -> list[tuple[Warehouse, ...]]:
        found = await self.ports.warehouse.warehouses()
        return [found] * len(keys)

    async def _load_stock(self, skus: list[str]) -> list[tuple[StockPosition, ...]]:
        found = await self.ports.warehouse.stock(skus)
        return [tuple(entry for entry in found if entry.sku == sku) for sku in skus]

    async def _load_soft(self, skus: list[str]) -> list[Mapping[tuple[str, str], Decimal]]:
        found = await self.ports.reservations.reserved(skus, self.now)
        return [{place: held for place, held in found.items() if place[0] == sku} for sku in skus]

    async def _load_inbound(self, skus: list[str]) -> list[tuple[InboundSupply, ...] | None]:
        try:
            found = await self.ports.items.inbound(skus)
        except ConnectorError as error:
            _log.warning("availability without inbound supply", items=len(skus), error=str(error))
            return [None] * len(skus)
        return [found.get(sku, ()) for sku in skus]

    async def _load_ship_tos(self, ids: list[str]) -> list[ShipTo | None]:
        found = await self._seen.by_key("ship-to", ids, self.ports.customers.ship_tos)
        return [found.get(ship_to_id) for ship_to_id in ids]

    async def _load_items(self, skus: list[str]) -> list[Item | None]:
        found = await self._seen.by_key("item", skus, self.ports.items.items)
        return [found.get(sku) for sku in skus]

    async def _load_reservations(self, ids: list[str]) -> list[Reservation | None]:
        found = await self.ports.reservations.reservations(ids)
        return [found.get(reservation_id) for reservation_id in ids]
