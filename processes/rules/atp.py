"""Available to promise: how much of an asked quantity, from where, when (rule 6.2).

1. Each open warehouse offers what it can promise, in whole asked units.
2. When one warehouse covers the whole quantity in time, the nearest such one gives all of it.
3. Else the earliest offers are taken, from the nearest warehouse first among equals, until the quantity is reached.

"In time" is by ``needed_by`` (delivery where the place is known, else shipping), or at once when no day is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal

from processes.rules.calendar import delivery_date
from processes.rules.supply import FirmDemand, Offer, SoftReserved, free_now, hold_limit, offers
from processes.rules.transit import transit_days
from processes.rules.uom import Measured, convert, factor, tidy
from schema.enums import AvailabilityDecision, SupplyKind
from schema.records.accounts import ShipTo
from schema.records.inventory import Availability, InboundSupply, PromiseLine, StockPosition, Warehouse
from schema.records.problems import ValidationFailed
from schema.records.values import Freshness, Quantity

__all__ = ["FirmDemand", "evaluate", "free_now", "hold_limit", "whole_units"]

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class _DatedOffer:
    offer: Offer
    transit: int
    delivery: date | None

    @property
    def due(self) -> date:
        return self.delivery or self.offer.ship_date


def evaluate(
    sku: str,
    quantity: Quantity,
    *,
    item: Measured,
    positions: Sequence[StockPosition],
    soft: SoftReserved,
    inbound: Sequence[InboundSupply],
    demand: Sequence[FirmDemand],
    warehouses: Sequence[Warehouse],
    ship_to: ShipTo | None,
    now: datetime,
    needed_by: date | None,
    freshness: Freshness,
    priority: bool = False,
) -> Availability | ValidationFailed:
    """Return how much of a quantity can be promised.

    Args:
        sku: the item.
        quantity: how much, in any unit of the item.
        item: the item, or its units alone.
        positions: stock, of any item and place.
        soft: soft reservations per (sku, warehouse code), the caller's own left out.
        inbound: supply on its way.
        demand: firm demand that the positions do not count as allocated.
        warehouses: where goods may come from.
        ship_to: where they go; None leaves delivery dates open.
        now: the moment of the question.
        needed_by: by when they are wanted, None for at once.
        freshness: how old the stock figures are.
        priority: whether the safety stock may be used.
    """
    wanted = convert(quantity, item, ("quantity",))
    per_base = factor(quantity.uom, item, ("quantity",))
    if isinstance(wanted, ValidationFailed):
        return wanted
    if isinstance(per_base, ValidationFailed):
        return per_base
    step = per_base if quantity.value == quantity.value.to_integral_value() and per_base > 1 else None
    dated = [
        _dated(offer, warehouse, ship_to)
        for warehouse in sorted(warehouses, key=lambda entry: entry.code)
        for offer in whole_units(
            offers(
                sku,
                warehouse,
                positions=positions,
                soft=soft,
                inbound=inbound,
                demand=demand,
                now=now,
                priority=priority,
            ),
            step,
        )
    ]
    taken = _take(dated, wanted, needed_by)
    in_time = sum((entry.offer.quantity for entry in taken if _in_time(entry, needed_by)), _NONE)
    total = sum((entry.offer.quantity for entry in taken), _NONE)
    at_once = sum((entry.offer.quantity for entry in dated if entry.offer.kind is SupplyKind.ON_HAND), _NONE)
    return Availability(
        decision=_decision(wanted, in_time, total),
        requested=quantity,
        available_now=_asked(at_once, per_base, quantity.uom),
        full_date=max(entry.due for entry in taken) if taken and total == wanted else None,
        promise=tuple(_promise(entry, per_base, quantity.uom) for entry in taken),
        freshness=freshness,
    )


def whole_units(found: Sequence[Offer], step: Decimal | None) -> tuple[Offer, ...]:
    """Return one warehouse's offers in multiples of ``step`` base units; a remainder waits for the next offer."""
    if step is None:
        return tuple(found)
    whole = []
    seen = given = _NONE
    for offer in found:
        seen += offer.quantity
        upto = (seen / step).to_integral_value(ROUND_FLOOR) * step
        if upto > given:
            whole.append(replace(offer, quantity=upto - given))
            given = upto
    return tuple(whole)


def _dated(offer: Offer, warehouse: Warehouse, ship_to: ShipTo | None) -> _DatedOffer:
    if ship_to is None:
        return _DatedOffer(offer, 0, None)
    days = transit_days(warehouse.address, ship_to.address)
    return _DatedOffer(offer, days, delivery_date(offer.ship_date, days, ship_to.delivery_days))


def _in_time(entry: _DatedOffer, needed_by: date | None) -> bool:
    return entry.offer.kind is SupplyKind.ON_HAND if needed_by is None else entry.due <= needed_by


def _take(dated: Sequence[_DatedOffer], wanted: Decimal, needed_by: date | None) -> list[_DatedOffer]:
    """Return the offers that are used, each cut to what is used of it, earliest first."""
    by_warehouse: dict[tuple[int, str], list[_DatedOffer]] = {}
    for entry in dated:
        if _in_time(entry, needed_by):
            by_warehouse.setdefault((entry.transit, entry.offer.warehouse_code), []).append(entry)
    for place in sorted(by_warehouse):
        if sum((entry.offer.quantity for entry in by_warehouse[place]), _NONE) >= wanted:
            return _cut(by_warehouse[place], wanted)
    earliest = sorted(dated, key=lambda entry: (entry.due, entry.transit, entry.offer.warehouse_code))
    return _cut(earliest, wanted)


def _cut(entries: Sequence[_DatedOffer], wanted: Decimal) -> list[_DatedOffer]:
    used = []
    for entry in entries:
        part = min(entry.offer.quantity, wanted)
        if part > 0:
            used.append(replace(entry, offer=replace(entry.offer, quantity=part)))
            wanted -= part
    return used


def _decision(wanted: Decimal, in_time: Decimal, total: Decimal) -> AvailabilityDecision:
    if in_time >= wanted:
        return AvailabilityDecision.FULL
    if in_time > 0:
        return AvailabilityDecision.PARTIAL
    return AvailabilityDecision.LATER if total > 0 else AvailabilityDecision.UNAVAILABLE


def _promise(entry: _DatedOffer, per_base: Decimal, uom: str) -> PromiseLine:
    offer = entry.offer
    quantity = _asked(offer.quantity, per_base, uom)
    return PromiseLine(offer.warehouse_code, offer.kind, quantity, offer.ship_date, entry.delivery)


def _asked(base: Decimal, per_base: Decimal, uom: str) -> Quantity:
    return Quantity(tidy((base / per_base).quantize(Decimal("0.000001"), ROUND_FLOOR)), uom)
