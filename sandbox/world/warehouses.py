"""Warehouses, which item lies where, stock and inbound supply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.world.chance import Chance
from sandbox.world.identifiers import gln
from sandbox.world.model import WorldAddress, WorldInbound, WorldItem, WorldStock, WorldWarehouse
from sandbox.world.planted import STOCK, StockPlan

__all__ = ["Layout", "make_inbound", "make_layout", "make_stock", "make_warehouses"]

POSITIONS = 1_500
INBOUND = 250

Layout = Mapping[str, tuple[str, ...]]
"""Warehouse codes by sku, the one that ships most first."""

_PLACES = (
    ("W01", "Chicago", "IL", "60609", "US", "America/Chicago", "16:00"),
    ("W02", "Reno", "NV", "89502", "US", "America/Los_Angeles", "15:00"),
    ("W03", "Atlanta", "GA", "30318", "US", "America/New_York", "16:30"),
    ("W04", "Dallas", "TX", "75212", "US", "America/Chicago", "15:30"),
    ("W05", "Toronto", "ON", "M8Z 1P1", "CA", "America/Toronto", "15:00"),
)
_OTHERS = ("W02", "W03", "W04", "W05")


def make_warehouses() -> tuple[WorldWarehouse, ...]:
    """Return five warehouses in three time zones."""
    return tuple(
        WorldWarehouse(
            code=code,
            name=f"{city} distribution center",
            address=WorldAddress(f"{place}00 Depot Avenue", city, region, postal_code, country, gln(9_000 + place)),
            time_zone=zone,
            cutoff=cutoff,
            status="OPEN",
        )
        for place, (code, city, region, postal_code, country, zone, cutoff) in enumerate(_PLACES, 1)
    )


def make_layout(seed: int, items: Sequence[WorldItem]) -> Layout:
    """Return where each item lies: W01 has everything, the others share what makes 1,500 positions."""
    chance = Chance.of(seed, "layout")
    layout = {item.sku: ["W01"] for item in items}
    for sku, plans in STOCK.items():
        layout[sku] = [plan.warehouse_code for plan in plans]
    open_places = [(sku, code) for sku in layout if sku not in STOCK for code in _OTHERS]
    missing = POSITIONS - sum(len(codes) for codes in layout.values())
    for sku, code in sorted(chance.sample(open_places, missing)):
        layout[sku].append(code)
    return {sku: tuple(codes) for sku, codes in layout.items()}


def make_stock(
    seed: int, items: Sequence[WorldItem], layout: Layout, allocated: Mapping[tuple[str, str], Decimal]
) -> tuple[WorldStock, ...]:
    """Return one position per item and warehouse; what open orders hold is on hand besides what is free."""
    chance = Chance.of(seed, "stock")
    return tuple(
        _position(chance, item, code, allocated.get((item.sku, code), Decimal(0)))
        for item in items
        for code in layout[item.sku]
    )


def _position(chance: Chance, item: WorldItem, code: str, allocated: Decimal) -> WorldStock:
    plan = next((plan for plan in STOCK.get(item.sku, ()) if plan.warehouse_code == code), None)
    if plan is None:
        plan = _random_plan(chance, item, code)
    return WorldStock(
        sku=item.sku,
        warehouse_code=code,
        on_hand=allocated + plan.blocked + plan.safety_stock + plan.free,
        allocated=allocated,
        blocked=plan.blocked,
        safety_stock=plan.safety_stock,
    )


def _random_plan(chance: Chance, item: WorldItem, code: str) -> StockPlan:
    most = 60 if item.unit_cost > 100 else 600
    free = Decimal(0) if chance.happens(8) else chance.amount(1, most)
    blocked = chance.amount(1, 5) if chance.happens(6) else Decimal(0)
    return StockPlan(code, free, blocked, chance.amount(0, 5))


def make_inbound(seed: int, now: datetime, items: Sequence[WorldItem], layout: Layout) -> tuple[WorldInbound, ...]:
    """Return open inbound supply, the planted first."""
    chance = Chance.of(seed, "inbound")
    today = now.date()
    made = [
        WorldInbound(f"PO-{sku}", sku, plan.warehouse_code, "INBOUND_PO", plan.inbound, plan.eta(today), True)
        for sku, plans in STOCK.items()
        for plan in plans
        if plan.inbound
    ]
    free = [item for item in items if item.sku not in STOCK]
    for number in range(len(made), INBOUND):
        item = chance.one(free)
        kind = chance.weighted((("INBOUND_PO", 80.0), ("TRANSFER", 15.0), ("DROP_SHIP", 5.0)))
        eta = today + timedelta(days=chance.whole(-3, 45))
        quantity = chance.amount(10, 300)
        made.append(
            WorldInbound(
                f"PO-{60_000 + number}", item.sku, chance.one(layout[item.sku]), kind, quantity, eta, chance.happens(85)
            )
        )
    return tuple(made)
