"""Eighteen months of orders, how far each has come, and the quotes before some of them.

Stages: ``completed`` and ``cancelled``; of the last weeks ``held`` (not in the ERP), ``allocated``, ``backordered``,
``partial`` (one shipment gone, the rest allocated), ``shipped`` (under way), ``delayed`` (under way and late),
``delivered`` (not invoiced yet).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sandbox.world.chance import Chance
from sandbox.world.homes import erp_of_order
from sandbox.world.model import WorldAccount, WorldItem, WorldItemUom, WorldOrder, WorldOrderLine, WorldShipTo
from sandbox.world.planted import COMPLETED_ORDER, HELD_ORDER, ORDERS, STOCK, PlannedOrder
from sandbox.world.prices import list_price
from sandbox.world.warehouses import Layout

__all__ = ["Draft", "make_orders"]

ORDER_COUNT = 1_200
FIRST_NUMBER = 204_000
DAYS = 540
MEAN_LINES = 5
MAX_LINES = 30

HELD_EVERY = 25
"""One in so many completed orders had been held for a while."""

QUICK_DRAWS = 230
"""Draws of 240 after which an order was decided within seconds."""

_CENT = Decimal("0.01")
_CHANNELS = (
    ("EDI", 45.0),
    ("PORTAL", 20.0),
    ("SALES_REP", 12.0),
    ("MOBILE", 8.0),
    ("ECOM", 10.0),
    ("SERVICE_DESK", 5.0),
)
_OPEN_STAGES = (
    ("allocated", 40.0), ("backordered", 20.0), ("partial", 14.0), ("shipped", 18.0), ("delivered", 8.0),
)  # fmt: skip
_STATUS = {"completed": "COMPLETED", "cancelled": "CANCELLED", "held": "ON_HOLD"}
_SHIPPED_FULLY = ("completed", "shipped", "delayed", "delivered")


@dataclass(frozen=True, slots=True)
class Draft:
    """An order with its stage, which decides what is made of it further on."""

    order: WorldOrder
    stage: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A line before it is known how far it has come."""

    item: WorldItem
    uom: WorldItemUom
    quantity: Decimal


def make_orders(
    seed: int,
    now: datetime,
    accounts: Sequence[WorldAccount],
    ship_tos: Sequence[WorldShipTo],
    items: Sequence[WorldItem],
    layout: Layout,
) -> tuple[Draft, ...]:
    """Return all orders, oldest first; ids follow time, but the held planted order is ``ord_77``."""
    chance = Chance.of(seed, "orders")
    buyers = [account for account in accounts if account.status == "ACTIVE"]
    by_id = {account.id: account for account in accounts}
    weights = [1 / place**0.7 for place in range(1, len(buyers) + 1)]
    places: dict[str, list[WorldShipTo]] = {}
    for place in ship_tos:
        places.setdefault(place.account_id, []).append(place)
    by_sku = {item.sku: item for item in items}
    sold = [item for item in items if item.status == "ACTIVE" and item.sku not in STOCK and not item.restricted_regions]
    planned = {ORDER_COUNT - plan.from_end: plan for plan in ORDERS}
    made = []
    last_day = _last_day(now)
    for position, submitted in enumerate(_times(chance, last_day), 1):
        plan = planned.get(position)
        if plan is None:
            account_id = "acc_1" if position == COMPLETED_ORDER else chance.choices(buyers, weights)[0].id
            stage = "completed" if position == COMPLETED_ORDER else _stage(chance, (last_day - submitted.date()).days)
            wanted = _wanted(chance, sold, 4 if position == COMPLETED_ORDER else None)
        else:
            account_id, stage, wanted = plan.account_id, plan.stage, _planned(plan, by_sku)
        account = by_id[account_id]
        place = places[account_id][0] if plan else chance.one(places[account_id])
        made.append(_draft(chance, position, submitted, now, account, place, stage, wanted, layout))
    return tuple(made)


def _last_day(now: datetime) -> date:
    """Return the last day with orders: its working hours are over, at whatever time of the day the world is made.

    Ages count from it, so that the same orders are held and open in the morning and in the evening.
    """
    return (now - timedelta(hours=30)).date()


def _times(chance: Chance, last_day: date) -> list[datetime]:
    """Return increasing times in working hours."""
    times = []
    for _ in range(ORDER_COUNT):
        day = last_day - timedelta(days=chance.whole(0, DAYS - 1))
        clock = time(chance.whole(12, 22), chance.whole(0, 59), chance.whole(0, 59), tzinfo=UTC)
        times.append(datetime.combine(day, clock))
    return sorted(times)


def _stage(chance: Chance, age_days: int) -> str:
    if age_days > 25:
        return "completed" if chance.happens(97) else "cancelled"
    if age_days > 10:
        return "completed" if chance.happens(85) else chance.one(("shipped", "delayed"))
    if age_days < 4 and chance.happens(12):
        return "held"
    return chance.weighted(_OPEN_STAGES)


def _wanted(chance: Chance, sold: Sequence[WorldItem], count: int | None) -> list[_Wanted]:
    lines = count or min(MAX_LINES, 1 + int(math.log(1 - chance.random()) / math.log(1 - 1 / MEAN_LINES)))
    wanted = []
    for item in dict.fromkeys(chance.one(sold) for _ in range(lines)):
        packages = [uom for uom in item.uoms[1:] if uom.sellable]
        uom = chance.one(packages) if packages and chance.happens(20) else item.uoms[0]
        most = 3 if uom.per_base > 1 or item.unit_cost > 100 else 24
        wanted.append(_Wanted(item, uom, chance.amount(1, most)))
    return wanted


def _planned(plan: PlannedOrder, by_sku: Mapping[str, WorldItem]) -> list[_Wanted]:
    return [_Wanted(by_sku[sku], by_sku[sku].uoms[0], Decimal(quantity)) for sku, quantity in plan.lines]


def _draft(
    chance: Chance,
    position: int,
    submitted: datetime,
    now: datetime,
    account: WorldAccount,
    place: WorldShipTo,
    stage: str,
    wanted: Sequence[_Wanted],
    layout: Layout,
) -> Draft:
    requested = _working_day(submitted.date() + timedelta(days=chance.whole(4, 9)))
    promised = requested
    if stage in ("backordered", "partial", "allocated"):
        promised = _working_day(max(requested, now.date() + timedelta(days=chance.whole(1, 8))))
    code = "W01" if position == COMPLETED_ORDER else _source(chance, wanted, layout)
    lines = tuple(
        _line(
            chance,
            number,
            entry,
            account,
            stage,
            promised,
            code if code in layout[entry.item.sku] else "W01",
        )
        for number, entry in enumerate(wanted, 1)
    )
    subtotal = sum((line.extended for line in lines), Decimal(0))
    taxed = account.currency != "USD"
    tax = (subtotal * Decimal("0.07")).quantize(_CENT, ROUND_HALF_UP) if taxed else Decimal(0)
    freight = Decimal(0) if subtotal > 1_000 else Decimal("45.00")
    held = stage == "held"
    accepted = None if held else submitted + _decision(chance.whole(2, 240), position, stage)
    kind = "CREDIT" if held and (position == ORDER_COUNT or chance.happens(60)) else "PRICE" if held else None
    order = WorldOrder(
        id=_order_id(position),
        number=f"SO-{FIRST_NUMBER + position}",
        account_id=account.id,
        ship_to_id=place.id,
        po_number=f"PO-{chance.whole(10_000, 99_999)}-{position}",
        channel=chance.weighted(_CHANNELS),
        status=_STATUS.get(stage, "ACCEPTED"),
        currency=account.currency,
        lines=lines,
        subtotal=subtotal,
        tax=tax,
        freight=freight,
        total=subtotal + tax + freight,
        requested_date=requested,
        promised_date=None if stage in ("held", "cancelled") else promised,
        submitted_at=submitted,
        accepted_at=accepted,
        completed_at=None,
        opportunity_id=None,
        quote_id=None,
        submitted_by=chance.one(("user:usr_1", "user:usr_2", "user:usr_3", "system:edi", "system:edi")),
        in_erp=not held,
        hold_kind=kind,
        hold_reason=_hold_reason(kind),
        erp=erp_of_order(account.id, submitted, now),
    )
    return Draft(order, stage)


def _decision(drawn: int, position: int, stage: str) -> timedelta:
    """Return how long acceptance took: seconds, minutes in 4 %, up to hours when a person had to release the order."""
    if stage == "completed" and position % HELD_EVERY == 0:
        return timedelta(minutes=20 + drawn)
    return timedelta(milliseconds=400 + drawn * 8) if drawn <= QUICK_DRAWS else timedelta(minutes=drawn - QUICK_DRAWS)


def _order_id(position: int) -> str:
    """Return the id of the order at a place in time; the newest and the one whose id it takes change theirs."""
    held = int(HELD_ORDER.removeprefix("ord_"))
    return HELD_ORDER if position == ORDER_COUNT else f"ord_{ORDER_COUNT if position == held else position}"


def _hold_reason(kind: str | None) -> str | None:
    if kind is None:
        return None
    return "credit control looks at this account first" if kind == "CREDIT" else "a price is below its margin floor"


def _source(chance: Chance, wanted: Sequence[_Wanted], layout: Layout) -> str:
    """Return a warehouse that has the first line; the whole order leaves from there as far as it can."""
    codes = layout[wanted[0].item.sku]
    return codes[0] if chance.happens(70) else chance.one(codes)


def _line(
    chance: Chance,
    number: int,
    wanted: _Wanted,
    account: WorldAccount,
    stage: str,
    promised: date,
    code: str,
) -> WorldOrderLine:
    per_uom = list_price(wanted.item, account.currency) * wanted.uom.per_base
    price = (per_uom * Decimal(chance.whole(82, 98)) / 100).quantize(_CENT, ROUND_HALF_UP)
    ordered, none, is_first = wanted.quantity, Decimal(0), number == 1
    short = Decimal(0)
    if stage == "backordered" and is_first:
        short = max(Decimal(1), (ordered * Decimal("0.4")).quantize(Decimal(1), ROUND_HALF_UP))
    shipped = ordered if stage in _SHIPPED_FULLY or (stage == "partial" and is_first) else none
    is_open = stage in ("allocated", "backordered", "partial")
    return WorldOrderLine(
        line_no=number,
        sku=wanted.item.sku,
        uom=wanted.uom.uom,
        ordered=ordered,
        allocated=ordered - short - shipped if is_open else none,
        backordered=short,
        shipped=shipped,
        invoiced=ordered if stage == "completed" else none,
        cancelled=ordered if stage == "cancelled" else none,
        unit_price=price,
        extended=(price * ordered).quantize(_CENT, ROUND_HALF_UP),
        promised_date=None if stage in ("held", "cancelled") else promised,
        warehouse_code=code,
    )


def _working_day(day: date) -> date:
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return day
