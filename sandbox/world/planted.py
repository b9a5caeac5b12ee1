"""What is put into every world on purpose, so that examples, tours and tests know what they find.

- C-10042 (acc_1): dollars, ships to shp_1; its contract on PMP-0042 has breaks: 36.10 from 24 pieces on.
- PMP-0042: 18 free in W01, nothing free elsewhere, the rest arrives in W01; 31.50 a piece is less than three points
  below its margin floor.
- VLV-0007: exactly 5 free in W01 and nowhere else, with a substitute; VLV-0042: plenty.
- acc_7 pays late: its newest order, ord_77, waits on a credit hold and is not in the ERP.
- SO-204511 of acc_1 is completed: a quote before it, two shipments, an invoice, a return of what was damaged.
- acc_1 has an order with a backorder, one whose shipment is delayed, open cases, an open opportunity opp_9.
- acc_58 and acc_59 are acc_20 and acc_21, entered a second time.
- acc_2 has two contracts on FIT-0013 that contradict each other.
- Of acc_parent's children acc_4 is a customer of the legacy ERP and acc_5 one of the cloud; acc_3 migrates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from sandbox.world.model import WorldAccount, WorldBreak, WorldItem, WorldItemUom, WorldPriceRule

__all__ = [
    "COMPLETED_ORDER",
    "DUPLICATES",
    "HELD_ORDER",
    "LATE_PAYER",
    "ORDERS",
    "STOCK",
    "PlannedOrder",
    "StockPlan",
    "planted_accounts",
    "planted_items",
    "planted_prices",
]

LATE_PAYER = "acc_7"
COMPLETED_ORDER = 511
"""Place of SO-204511 among all orders in time."""

HELD_ORDER = "ord_77"

DUPLICATES = {"acc_58": "acc_20", "acc_59": "acc_21"}
"""Accounts that were entered twice, by the id of the first."""


@dataclass(frozen=True, slots=True)
class StockPlan:
    """A stock position by what is free of it; ``inbound`` arrives ``inbound_days`` from now."""

    warehouse_code: str
    free: Decimal
    blocked: Decimal = Decimal(0)
    safety_stock: Decimal = Decimal(0)
    inbound: Decimal = Decimal(0)
    inbound_days: int = 0

    def eta(self, today: date) -> date:
        """Return the day on which the inbound supply arrives, never a weekend."""
        day = today + timedelta(days=self.inbound_days)
        while day.isoweekday() > 5:
            day += timedelta(days=1)
        return day


STOCK: dict[str, tuple[StockPlan, ...]] = {
    "PMP-0042": (
        StockPlan("W01", Decimal(18), blocked=Decimal(2), inbound=Decimal(60), inbound_days=9),
        StockPlan("W02", Decimal(0)),
    ),
    "VLV-0007": (StockPlan("W01", Decimal(5), inbound=Decimal(40), inbound_days=12),),
    "VLV-0042": (StockPlan("W01", Decimal(5_000)), StockPlan("W03", Decimal(800))),
}


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order that every world has: its place from the end of all orders, whose it is, what it holds, how far it is.

    ``stage`` is one of those of :mod:`sandbox.world.orders`; lines are (sku, quantity).
    """

    from_end: int
    account_id: str
    stage: str
    lines: tuple[tuple[str, int], ...]


ORDERS: tuple[PlannedOrder, ...] = (
    PlannedOrder(0, LATE_PAYER, "held", (("MTR-0005", 6), ("FLT-0011", 24))),
    PlannedOrder(2, "acc_1", "backordered", (("PMP-0042", 12), ("SEL-0012", 25))),
    PlannedOrder(5, "acc_1", "delayed", (("HSE-0021", 40), ("FIT-0030", 100))),
    PlannedOrder(8, "acc_1", "partial", (("VLV-0042", 20), ("FLT-0020", 8))),
    PlannedOrder(20, "acc_1", "shipped", (("LUB-0030", 12), ("SEL-0040", 10))),
)


def planted_items(items: Sequence[WorldItem]) -> tuple[WorldItem, ...]:
    """Return the items with the planted ones as described."""
    planned = {plan_sku for order in ORDERS for plan_sku, _ in order.lines}
    made = []
    for item in items:
        if item.sku == "PMP-0042":
            made.append(_pump(item))
        elif item.sku == "VLV-0007":
            made.append(replace(item, status="ACTIVE", substitute_skus=("VLV-0008", "VLV-0042"), restricted_regions=()))
        elif item.sku in planned or item.sku in ("VLV-0008", "VLV-0042", "FIT-0013"):
            made.append(replace(item, status="ACTIVE", restricted_regions=()))
        else:
            made.append(item)
    return tuple(made)


def _pump(item: WorldItem) -> WorldItem:
    each, *_ = item.uoms
    uoms = (
        each,
        WorldItemUom("XBX", Decimal(4), None, True),
        WorldItemUom("XPX", Decimal(96), None, True),
    )
    return replace(
        item,
        name="Transfer pump 32",
        description="Transfer pump, size 32, cast iron",
        status="ACTIVE",
        uoms=uoms,
        unit_cost=Decimal("25.50"),
        floor_margin_percent=Decimal(21),
        restricted_regions=(),
        substitute_skus=("PMP-0043",),
    )


def planted_accounts(accounts: Sequence[WorldAccount]) -> tuple[WorldAccount, ...]:
    """Return the accounts with the planted ones as described; their currency is the dollar already."""
    made = []
    for account in accounts:
        if account.id == "acc_1":
            made.append(replace(account, status="ACTIVE", credit_limit=Decimal(250_000), credit_tolerance_percent=5))
        elif account.id == "acc_parent":
            made.append(replace(account, status="ACTIVE", credit_limit=Decimal(900_000)))
        elif account.id == LATE_PAYER:
            made.append(replace(account, status="ACTIVE", credit_limit=Decimal(60_000), credit_tolerance_percent=0))
        elif account.id in DUPLICATES:
            made.append(_doubled(account, accounts))
        else:
            made.append(account)
    return tuple(made)


def _doubled(account: WorldAccount, accounts: Sequence[WorldAccount]) -> WorldAccount:
    """Return the account as somebody entered another one a second time."""
    first = next(entry for entry in accounts if entry.id == DUPLICATES[account.id])
    return replace(account, name=first.name.upper(), legal_name=first.legal_name, address=first.address)


def planted_prices(now: datetime) -> tuple[WorldPriceRule, ...]:
    """Return the contract on PMP-0042 and the two that contradict each other."""
    today = now.date()
    breaks = tuple(
        WorldBreak(Decimal(least), Decimal(unit)) for least, unit in ((1, "38.40"), (24, "36.10"), (96, "34.20"))
    )
    pump = _contract("CON-C-10042-PMP-0042", "acc_1", "PMP-0042", today, None, breaks)
    first = _contract("CON-C-10043-FIT-0013-A", "acc_2", "FIT-0013", today, Decimal("8.10"), ())
    second = _contract("CON-C-10043-FIT-0013-B", "acc_2", "FIT-0013", today, Decimal("8.45"), ())
    return (pump, first, second)


def _contract(
    number: str, account_id: str, sku: str, today: date, unit: Decimal | None, breaks: tuple[WorldBreak, ...]
) -> WorldPriceRule:
    return WorldPriceRule(
        id=f"prr_{number}",
        number=number,
        level="CONTRACT",
        currency="USD",
        account_id=account_id,
        price_group=None,
        sku=sku,
        category_code=None,
        brand=None,
        unit=unit,
        discount_percent=None,
        breaks=breaks,
        valid_from=today - timedelta(days=120),
        valid_to=today + timedelta(days=245),
        priority=20,
        inherit=True,
        exclusive=True,
        combinable=False,
        graduated=False,
    )
