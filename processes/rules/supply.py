"""How much of a sku can be promised from a warehouse by when (rule 6.2), in base units.

Supply is usable stock (no blocked goods, nothing allocated, safety stock kept back) and confirmed inbound from the
day on which it is unpacked. Looking ahead, the promise of a day is the least that supply exceeds firm demand on that
day or any later one, so that a new order never takes what a later firm one counts on. Inbound that is overdue counts
for nothing: a supplier who confirms it again gives it a new date.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from processes.rules.calendar import first_ship_date, local_date, next_working_day
from schema.enums import SupplyKind
from schema.records.inventory import InboundSupply, StockPosition, Warehouse

__all__ = ["FirmDemand", "Offer", "SoftReserved", "free_now", "hold_limit", "is_open", "offers", "promises"]

SoftReserved = Mapping[tuple[str, str], Decimal]
"""Unexpired soft reservations per (sku, warehouse code), the caller's own left out."""

MAX_HORIZON = timedelta(days=365)
"""Supply farther away than this is a plan and no promise."""

_CLOSED = ("CLOSED", "INACTIVE")
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class FirmDemand:
    """Base units that a firm order takes on a day and that the stock position does not count as allocated yet."""

    sku: str
    warehouse_code: str
    quantity: Decimal
    on: date


@dataclass(frozen=True, slots=True)
class Offer:
    """Base units that can be promised from a warehouse from ``ship_date`` on, beyond its earlier offers."""

    warehouse_code: str
    kind: SupplyKind
    ship_date: date
    quantity: Decimal


def free_now(position: StockPosition, soft: Decimal, *, priority: bool = False) -> Decimal:
    """Return what a position can give right now; priority customers reach into the safety stock."""
    return max(_NONE, hold_limit(position, priority=priority) - soft)


def hold_limit(position: StockPosition, *, priority: bool = False) -> Decimal:
    """Return how much may be softly reserved of a position in all."""
    kept_back = _NONE if priority else position.safety_stock
    return max(_NONE, position.on_hand - position.blocked - position.allocated - kept_back)


def is_open(warehouse: Warehouse) -> bool:
    """Return whether the warehouse ships at all."""
    return warehouse.status.upper() not in _CLOSED


def offers(
    sku: str,
    warehouse: Warehouse,
    *,
    positions: Iterable[StockPosition],
    soft: SoftReserved,
    inbound: Iterable[InboundSupply],
    demand: Iterable[FirmDemand],
    now: datetime,
    priority: bool = False,
) -> tuple[Offer, ...]:
    """Return what the warehouse can promise of a sku, earliest first; the quantities add up to no more than supply.

    Args:
        sku: the item.
        warehouse: where it is; a closed one offers nothing.
        positions: stock, of any item and place.
        soft: soft reservations.
        inbound: supply on its way, of any item and place.
        demand: firm demand, of any item and place.
        now: the moment of the question.
        priority: whether the safety stock may be used.
    """
    if not is_open(warehouse):
        return ()
    here = (sku, warehouse.code)
    first = first_ship_date(warehouse, now)
    stock = sum(
        (_usable(entry, priority=priority) for entry in positions if (entry.sku, entry.warehouse_code) == here), _NONE
    )
    arrivals = _arrivals(here, inbound, first, local_date(now, warehouse.time_zone))
    kinds = {day: kind for day, kind, _ in reversed(arrivals)}
    changes: dict[date, Decimal] = defaultdict(Decimal)
    changes[first] = stock - soft.get(here, _NONE)
    for day, _, quantity in arrivals:
        changes[day] += quantity
    for entry in demand:
        if (entry.sku, entry.warehouse_code) == here:
            changes[max(first, entry.on)] -= entry.quantity
    found = []
    before = _NONE
    for day, promised in promises(changes):
        if promised > before:
            kind = SupplyKind.ON_HAND if day == first else kinds[day]
            found.append(Offer(warehouse.code, kind, day, promised - before))
            before = promised
    return tuple(found)


def promises(changes: Mapping[date, Decimal]) -> list[tuple[date, Decimal]]:
    """Return what can be promised from each day on: the least of this and all later balances, never below zero.

    Args:
        changes: supply less demand per day.
    """
    days = sorted(changes)
    balances = list(accumulate(changes[day] for day in days))
    least = list(accumulate(reversed(balances), min))
    return [(day, max(_NONE, promise)) for day, promise in zip(days, reversed(least), strict=True)]


def _usable(position: StockPosition, *, priority: bool) -> Decimal:
    """Return stock less what is spoken for; below zero when more is spoken for than there is."""
    kept_back = _NONE if priority else position.safety_stock
    return position.on_hand - position.blocked - position.allocated - kept_back


def _arrivals(
    here: tuple[str, str], inbound: Iterable[InboundSupply], first: date, today: date
) -> Sequence[tuple[date, SupplyKind, Decimal]]:
    """Return (first day to ship, kind, quantity) of confirmed inbound that is not overdue, by day and reference.

    What could ship before ``first`` counts from the day after it: today's goods are what is there, not what may come.
    """
    coming = [
        entry
        for entry in inbound
        if (entry.sku, entry.warehouse_code) == here
        and entry.confirmed
        and entry.quantity > 0
        and today <= entry.eta <= today + MAX_HORIZON
    ]
    after = next_working_day(first + timedelta(days=1))
    return [
        (max(after, next_working_day(entry.eta + timedelta(days=entry.dock_days))), entry.kind, entry.quantity)
        for entry in sorted(coming, key=lambda entry: (entry.eta, entry.reference))
    ]
