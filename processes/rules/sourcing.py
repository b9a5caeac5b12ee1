"""From which warehouse an order's lines come (P3 step 6).

1. Warehouses are ranked: most lines covered in full, in time for the requested date, days on the way, code.
2. One that covers every line gives all of them: one shipment.
3. Else each line comes whole from the best warehouse that covers it, else in parts by rank.
4. What is missing is backordered with a date, or is a Stockout when the customer takes no backorders. An order that
   ships complete without backorders is refused as a whole when any line is short.

Nothing is promised twice: what one line takes is gone for the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal

from processes.rules.calendar import delivery_date, first_ship_date
from processes.rules.supply import FirmDemand, Offer, SoftReserved, is_open, offers
from processes.rules.transit import DEFAULT_TARIFF, FreightTariff, estimate_freight, transit_days
from processes.rules.uom import convert, factor, tidy
from schema.enums import SupplyKind
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.inventory import InboundSupply, ReserveLine, StockPosition, Warehouse
from schema.records.orders import Allocation
from schema.records.problems import Problem, Stockout, ValidationFailed
from schema.records.values import Address, Money, Quantity

__all__ = ["RouteLine", "RoutedLine", "Routing", "Supply", "WarehouseOption", "options", "route"]

_NONE = Decimal(0)
_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RouteLine:
    """A line to source."""

    line_no: int
    item: Item
    quantity: Quantity
    requested_date: date | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is to source from; entries of other items are let be."""

    positions: Sequence[StockPosition]
    soft: SoftReserved
    warehouses: Sequence[Warehouse]
    inbound: Sequence[InboundSupply] = ()
    demand: Sequence[FirmDemand] = ()


@dataclass(frozen=True, slots=True)
class RoutedLine:
    """Where a line comes from.

    Attributes:
        line_no: the line.
        allocations: proposals in the asked unit; soft until the ERP makes them firm.
        reserve: the same in base units, each with the limit that its position may hold in all.
        backordered: what nothing could be found for, in the asked unit.
        backorder_date: when the rest can ship, None when nobody knows or nothing is missing.
    """

    line_no: int
    allocations: tuple[Allocation, ...]
    reserve: tuple[ReserveLine, ...]
    backordered: Decimal
    backorder_date: date | None


@dataclass(frozen=True, slots=True)
class Routing:
    """Sources of all lines by their order. ``waits`` is True when the order ships complete and something is missing."""

    lines: tuple[RoutedLine, ...]
    problems: tuple[Problem, ...]
    waits: bool


@dataclass(frozen=True, slots=True)
class WarehouseOption:
    """A warehouse that can serve an address; rank 1 is the best."""

    warehouse_code: str
    rank: int
    transit_days: int
    estimated_freight: Money


def options(
    warehouses: Sequence[Warehouse],
    address: Address,
    *,
    weight_kg: Decimal = Decimal(10),
    tariff: FreightTariff = DEFAULT_TARIFF,
) -> tuple[WarehouseOption, ...]:
    """Return the open warehouses by how well they serve an address, best first.

    Args:
        warehouses: where goods may come from.
        address: where they go.
        weight_kg: weight that freight is estimated for.
        tariff: what freight is estimated by.
    """
    ranked = sorted((transit_days(entry.address, address), entry.code) for entry in warehouses if is_open(entry))
    return tuple(
        WarehouseOption(code, rank, days, estimate_freight(days, weight_kg, tariff))
        for rank, (days, code) in enumerate(ranked, start=1)
    )


def route(
    lines: Sequence[RouteLine],
    supply: Supply,
    *,
    ship_to: ShipTo,
    now: datetime,
    ship_complete: bool = False,
    allow_backorder: bool = True,
) -> Routing:
    """Return where each line comes from and what is missing.

    Args:
        lines: lines with units that their items know; others are reported and left out.
        supply: stock, reservations, inbound and firm demand.
        ship_to: where the order goes.
        now: the moment of the question.
        ship_complete: the customer takes one complete delivery only.
        allow_backorder: the customer waits for what is missing.
    """
    wanted, problems = _wanted(lines)
    plan = _Plan.make(wanted, supply, ship_to, now)
    routed = [plan.take(entry) for entry in wanted]
    short = [entry for entry in routed if entry.missing > 0]
    refused = [] if allow_backorder else short
    dropped = {entry.want.line.line_no for entry in (routed if refused and ship_complete else refused)}
    problems += [plan.stockout(entry) for entry in refused]
    found = tuple(plan.result(entry) for entry in routed if entry.want.line.line_no not in dropped)
    return Routing(found, tuple(problems), waits=ship_complete and bool(short) and not refused)


@dataclass(frozen=True, slots=True)
class _Want:
    """A line in base units; ``step`` is the smallest part that may be split off."""

    index: int
    line: RouteLine
    base: Decimal
    per_base: Decimal
    step: Decimal | None

    @property
    def sku(self) -> str:
        return self.line.item.sku


@dataclass(frozen=True, slots=True)
class _Taken:
    """Base units per warehouse for one line, and what is missing and when it can ship."""

    want: _Want
    parts: tuple[tuple[str, Decimal], ...]
    missing: Decimal
    available: Decimal
    missing_date: date | None


def _wanted(lines: Sequence[RouteLine]) -> tuple[list[_Want], list[Problem]]:
    wanted: list[_Want] = []
    problems: list[Problem] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index), "quantity")
        base = convert(line.quantity, line.item, path)
        per_base = factor(line.quantity.uom, line.item, path)
        if isinstance(base, ValidationFailed):
            problems.append(base)
        elif isinstance(per_base, ValidationFailed):
            problems.append(per_base)
        else:
            is_whole = line.quantity.value == line.quantity.value.to_integral_value()
            wanted.append(_Want(index, line, base, per_base, per_base if is_whole else None))
    return wanted, problems


@dataclass(slots=True)
class _Plan:
    """What is still free while lines are sourced one after the other."""

    ship_dates: Mapping[str, date]
    limits: Mapping[_Place, Decimal]
    ranked: tuple[str, ...]
    free: dict[_Place, Decimal]
    coming: Mapping[str, list[Offer]]
    whole_from: str | None
    awaited: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def make(cls, wanted: Sequence[_Want], supply: Supply, ship_to: ShipTo, now: datetime) -> _Plan:
        free: dict[_Place, Decimal] = {}
        coming: dict[str, list[Offer]] = {}
        usable = [entry for entry in supply.warehouses if is_open(entry)]
        for sku in dict.fromkeys(entry.sku for entry in wanted):
            for warehouse in usable:
                for offer in offers(
                    sku,
                    warehouse,
                    positions=supply.positions,
                    soft=supply.soft,
                    inbound=supply.inbound,
                    demand=supply.demand,
                    now=now,
                ):
                    if offer.kind is SupplyKind.ON_HAND:
                        free[sku, warehouse.code] = offer.quantity
                    else:
                        coming.setdefault(sku, []).append(offer)
        for found in coming.values():
            found.sort(key=lambda offer: (offer.ship_date, offer.warehouse_code))
        dates = {entry.code: first_ship_date(entry, now) for entry in usable}
        ranked, whole_from = _rank(wanted, free, usable, dates, ship_to)
        limits = {place: quantity + supply.soft.get(place, _NONE) for place, quantity in free.items()}
        return cls(dates, limits, ranked, free, coming, whole_from)

    def take(self, want: _Want) -> _Taken:
        """Take a line from what is free: the one warehouse that has all, else a whole line, else parts by rank."""
        available = sum((self.free.get((want.sku, code), _NONE) for code in self.ranked), _NONE)
        covering = [code for code in self.ranked if self.free.get((want.sku, code), _NONE) >= want.base]
        first = [self.whole_from] if self.whole_from is not None else covering[:1]
        parts: list[tuple[str, Decimal]] = []
        missing = want.base
        for code in first or self.ranked:
            part = _in_steps(min(self.free.get((want.sku, code), _NONE), missing), want.step)
            if part > 0:
                parts.append((code, part))
                self.free[want.sku, code] -= part
                missing -= part
        return _Taken(want, tuple(parts), missing, available, self._date_of(want.sku, missing))

    def result(self, taken: _Taken) -> RoutedLine:
        want = taken.want
        return RoutedLine(
            line_no=want.line.line_no,
            allocations=tuple(
                Allocation(code, _asked(want, part), self.ship_dates[code], firm=False) for code, part in taken.parts
            ),
            reserve=tuple(
                ReserveLine(
                    want.line.line_no, want.sku, code, part, want.line.item.base_uom, self.limits[want.sku, code]
                )
                for code, part in taken.parts
            ),
            backordered=_asked(want, taken.missing).value,
            backorder_date=taken.missing_date,
        )

    def stockout(self, taken: _Taken) -> Stockout:
        want = taken.want
        available = _asked(want, _in_steps(min(taken.available, want.base), want.step))
        when = f", the rest from {taken.missing_date.isoformat()}" if taken.missing_date is not None else ""
        asked = f"{tidy(want.line.quantity.value):f} {want.line.quantity.uom}"
        return Stockout(
            code="STOCKOUT",
            message=f"{want.sku}: {asked} asked for, {tidy(available.value):f} available now{when}",
            path=("lines", str(want.index)),
            sku=want.sku,
            requested=want.line.quantity,
            available=available,
            line_no=want.line.line_no,
            next_available=taken.missing_date,
            substitute_skus=want.line.item.substitute_skus,
        )

    def _date_of(self, sku: str, missing: Decimal) -> date | None:
        """Return when what is missing can ship, after what earlier lines wait for."""
        if missing <= 0:
            return None
        ahead = self.awaited.get(sku, _NONE) + missing
        self.awaited[sku] = ahead
        seen = _NONE
        for offer in self.coming.get(sku, ()):
            seen += offer.quantity
            if seen >= ahead:
                return offer.ship_date
        return None


def _rank(
    wanted: Sequence[_Want],
    free: Mapping[_Place, Decimal],
    warehouses: Sequence[Warehouse],
    dates: Mapping[str, date],
    ship_to: ShipTo,
) -> tuple[tuple[str, ...], str | None]:
    """Return warehouse codes, best first, and the best one that covers every line, None when none does."""
    needs: dict[str, Decimal] = {}
    for want in wanted:
        needs[want.sku] = needs.get(want.sku, _NONE) + want.base
    requested = min((want.line.requested_date for want in wanted if want.line.requested_date), default=None)

    def key(warehouse: Warehouse) -> tuple[int, bool, int, str]:
        code = warehouse.code
        covered = sum(free.get((want.sku, code), _NONE) >= want.base for want in wanted)
        days = transit_days(warehouse.address, ship_to.address)
        late = requested is not None and delivery_date(dates[code], days, ship_to.delivery_days) > requested
        return -covered, late, days, code

    ranked = tuple(entry.code for entry in sorted(warehouses, key=key))
    complete = (code for code in ranked if all(free.get((sku, code), _NONE) >= need for sku, need in needs.items()))
    return ranked, next(complete, None)


def _in_steps(base: Decimal, step: Decimal | None) -> Decimal:
    return base if step is None else (base / step).to_integral_value(ROUND_FLOOR) * step


def _asked(want: _Want, base: Decimal) -> Quantity:
    in_units = (base / want.per_base).quantize(Decimal("0.000001"), ROUND_FLOOR)
    return Quantity(tidy(in_units), want.line.quantity.uom)
