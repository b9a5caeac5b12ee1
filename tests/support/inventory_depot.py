"""The inventory subgraph over systems in memory: a depot with a few items in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from starlette.types import ASGIApp

from resolvers.inventory.ports import InventoryPorts
from schema.enums import ItemStatus
from schema.records.inventory import ReserveLine
from subgraphs.inventory.app import build_inventory
from systems.stock_fallback import RememberingFloor
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, item
from tests.support.subgraph_requests import CLAIMS, customer, data, shop

BUYER = customer("acc_1")
SHOP = shop("acc_1")


FRIDAY = date(2026, 3, 13)
"""Goods of this day are unpacked on Saturday and leave on Monday the 16th."""


PAYLOAD = (
    "replayed reservations { id status item { id } warehouse { code } quantity { value uom } expiresAt }"
    " problems { __typename ... on Problem { code message path retryable }"
    " ... on ValidationFailed { rule field } ... on IdempotencyConflict { originalProcessId }"
    " ... on Stockout { lineNo sku requested { value uom } available { value uom } nextAvailable substituteSkus }"
    " ... on DependencyUnavailable { system retryAfterSeconds } }"
)


@dataclass
class Depot:
    """The subgraph and the world that it is made over."""

    app: ASGIApp
    world: ProcessWorld

    def calls(self) -> Counter[str]:
        """Return the calls of systems since this was last asked."""
        made = Counter(self.world.script.calls)
        self.world.script.calls.clear()
        return made

    async def hold(self, quantity: int, sku: str = "PMP-0042", code: str = "W01") -> None:
        """Hold stock as another request of another account has done."""
        line = ReserveLine(1, sku, code, Decimal(quantity), "EA", limit=Decimal(1000))
        held, _ = await self.world.use.reservations.reserve("other", "acc_2", [line], NOW + timedelta(hours=1), NOW)
        assert held


@asynccontextmanager
async def inventory_depot(url: str) -> AsyncIterator[Depot]:
    """Open a depot over the database with this URL."""
    async with process_world(url) as world:
        world.erp.items_by_sku["OLD-0001"] = item("OLD-0001", status=ItemStatus.BLOCKED)
        ports = InventoryPorts(
            warehouse=RememberingFloor(world.wms, world.use.stock, world.clock),
            stock=world.use.stock,
            items=world.erp,
            customers=world.erp,
            reservations=world.use.reservations,
            keys=world.use.keys,
            events=world.use.events,
            clock=world.clock,
        )
        yield Depot(build_inventory(ports, CLAIMS), world)


def item_of(sku: str = "PMP-0042", **changes: Any) -> dict[str, Any]:
    """Return an item as the gateway names it, with the units that the catalog tells."""
    units = [{"uom": "EA", "perBase": "1"}, {"uom": "XBX", "perBase": "6"}]
    return {"__typename": "Item", "id": f"itm_{sku}", "baseUom": "EA", "uoms": units, **changes}


def line(value: str = "5", sku: str = "VLV-0007", code: str | None = None, uom: str = "EA") -> dict[str, Any]:
    return {"sku": sku, "quantity": {"value": value, "uom": uom}, "warehouseCode": code}


async def reserve(depot: Depot, *lines: dict[str, Any], who: Any = SHOP, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "k-1", "accountId": "acc_1", "lines": list(lines) or [line()], **changes}
    query = f"mutation ($i: InventoryReserveInput!) {{ inventoryReserve(input: $i) {{ {PAYLOAD} }} }}"
    return dict((await data(depot.app, query, who, i=given))["inventoryReserve"])
