"""P3 step 6: from where the goods come, and holding them there so that nobody sells them twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from processes.order_case import OrderCase
from processes.rules.calendar import delivery_date, first_ship_date
from processes.rules.sourcing import RoutedLine, RouteLine, Routing, Supply, route
from processes.rules.staleness import safe
from processes.rules.transit import transit_days
from processes.rules.uom import factor, tidy
from processes.steps import DONE, Outcome, Verdict
from schema.enums import ReservationStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.inventory import Reservation, ReserveLine, Warehouse
from schema.records.orders import Allocation, LedgerLine, LedgerOrder
from schema.records.problems import Stockout, ValidationFailed
from schema.records.values import Quantity
from systems.errors import Conflict, ConnectorError, NotFound

__all__ = ["RESERVE_KEY", "UNRESERVED", "give_back", "look_up_reservation", "promised_on", "reserve"]

RESERVE_KEY = "resv"
RESERVATION_LIFETIME = timedelta(hours=24)
"""As long as the ERP may be waited for, or a hold may last, before the goods are free again."""

MAX_ROUTES = 4
"""Times that an order is routed anew because others took the goods in between."""

UNRESERVED = Outcome(Verdict.SKIPPED, note="nothing is reserved: the ERP alone decides what there is of the goods")

_NONE = Decimal(0)
Places = Mapping[tuple[str, str], Decimal]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What routing looks at besides stock."""

    ship_to: ShipTo
    items: Mapping[str, Item]
    warehouses: tuple[Warehouse, ...]


async def reserve(case: OrderCase) -> Outcome:
    """Route the order and hold its goods by one atomic step per position; short lines are backordered or refused."""
    ground = await _ground(case)
    order = await case.known_order()
    held = await _held_before(case, ground) if case.may_have_sent else ()
    if held:
        await _write(case, _from_reservations(order, held, ground), ground)
        return DONE
    for _ in range(MAX_ROUTES):
        routing, own = await _routing(case, order, ground)
        refused = tuple(entry for entry in routing.problems if isinstance(entry, Stockout | ValidationFailed))
        if refused:
            return Outcome(Verdict.REFUSED, refused)
        wanted = [_with_own(line, own) for entry in routing.lines for line in entry.reserve]
        holds = await _hold(case, wanted)
        if holds is None:
            return UNRESERVED
        if holds:
            await _write(case, routing.lines, ground)
            return DONE
    raise Conflict(SourceSystem.PLATFORM, "reserve", f"stock of order {order.number} changed {MAX_ROUTES} times")


async def look_up_reservation(case: OrderCase) -> Outcome:
    """Return whether an attempt that was given up has reserved the goods; if not, none that is under way still will.

    An order without a reservation goes on: the ERP alone decides what there is of its goods, and promises a day.
    """
    now = case.use.clock.now()
    held, _ = await case.use.reservations.reserve(case.key(RESERVE_KEY), case.account_id, (), now, now)
    if not held:
        return UNRESERVED
    if case.submission.reservation_ids:
        await case.use.reservations.release(case.submission.reservation_ids)
    try:
        ground = await _ground(case)
    except ConnectorError as error:
        return Outcome(Verdict.DONE, note=f"reserved; a day is promised when the ERP has allocated: {error}")
    await _write(case, _from_reservations(await case.order(), held, ground), ground)
    return DONE


async def give_back(case: OrderCase) -> None:
    """Release what the order holds."""
    released = await case.use.reservations.settle(case.key(RESERVE_KEY), ReservationStatus.RELEASED)
    told = [_stock_news(case, "inventory.released", entry.sku, entry.warehouse_code, entry.quantity, entry.uom)
            for entry in released]  # fmt: skip
    await case.use.events.append(told)


def promised_on(ship_date: date | None, warehouse: Warehouse | None, ship_to: ShipTo | None) -> date | None:
    """Return the day of delivery of goods that leave on a day; without knowing the ways it stays the day they leave."""
    if ship_date is None or warehouse is None or ship_to is None:
        return ship_date
    return delivery_date(ship_date, transit_days(warehouse.address, ship_to.address), ship_to.delivery_days)


async def _ground(case: OrderCase) -> _Ground:
    ship_to, items, warehouses = await asyncio.gather(case.ship_to(), case.items(), case.warehouses())
    if ship_to is None:
        raise NotFound(case.terms_erp, "route order", f"ship-to {case.submission.ship_to_id} has gone")
    return _Ground(ship_to, items, warehouses)


async def _routing(case: OrderCase, order: LedgerOrder, ground: _Ground) -> tuple[Routing, Places]:
    now, skus = case.use.clock.now(), sorted(ground.items)
    positions, soft, inbound, own = await asyncio.gather(
        case.use.wms.stock(skus),
        case.use.reservations.reserved(skus, now),
        case.use.erp.inbound(skus),
        _own(case),
    )
    others = {place: quantity - own.get(place, _NONE) for place, quantity in soft.items()}
    lines = [
        RouteLine(line.line_no, ground.items[line.sku], line.quantity, line.requested_date) for line in order.lines
    ]
    coming = [entry for rows in inbound.values() for entry in rows]
    supply = Supply(safe(positions, now), others, ground.warehouses, coming)
    routing = route(
        lines,
        supply,
        ship_to=ground.ship_to,
        now=now,
        ship_complete=case.submission.ship_complete,
        allow_backorder=case.submission.allow_backorder,
    )
    return routing, own


async def _own(case: OrderCase) -> Places:
    """Return what the customer has reserved before and brings along, per position."""
    ids = case.submission.reservation_ids
    found = await case.use.reservations.reservations(ids) if ids else {}
    own: dict[tuple[str, str], Decimal] = {}
    for entry in found.values():
        if entry.status is ReservationStatus.HELD:
            place = (entry.sku, entry.warehouse_code)
            own[place] = own.get(place, _NONE) + entry.quantity
    return own


def _with_own(line: ReserveLine, own: Places) -> ReserveLine:
    """Let the position hold the customer's earlier reservation beside the new one until that one is released."""
    return replace(line, limit=line.limit + own.get((line.sku, line.warehouse_code), _NONE))


async def _hold(case: OrderCase, wanted: Sequence[ReserveLine]) -> bool | None:
    """Hold the lines, then release the earlier reservations that they replace; False when others were quicker.

    None means that the order has gone on without a reservation before.
    """
    now = case.use.clock.now()
    if wanted:
        told = [
            _stock_news(case, "inventory.reserved", line.sku, line.warehouse_code, line.quantity, line.uom)
            for line in wanted
        ]
        held, short = await case.use.reservations.reserve(
            case.key(RESERVE_KEY), case.account_id, wanted, now + RESERVATION_LIFETIME, now, told
        )
        if short:
            return False
        if not held:
            return None
    if case.submission.reservation_ids:
        await case.use.reservations.release(case.submission.reservation_ids)
    return True


async def _held_before(case: OrderCase, ground: _Ground) -> tuple[Reservation, ...]:
    """Return what an earlier attempt reserved: a key that is used answers with it, whatever is asked.

    The line that is asked for can never fit, so that a key which is not used stays unused.
    """
    item = next(iter(ground.items.values()))
    never = ReserveLine(0, item.sku, ground.warehouses[0].code, Decimal(1), item.base_uom, limit=Decimal(-1))
    now = case.use.clock.now()
    held, _ = await case.use.reservations.reserve(
        case.key(RESERVE_KEY), case.account_id, [never], now + RESERVATION_LIFETIME, now
    )
    return held


def _from_reservations(order: LedgerOrder, held: Sequence[Reservation], ground: _Ground) -> tuple[RoutedLine, ...]:
    """Return the routing that led to these reservations, which come in the order of lines."""
    left = list(held)
    routed = []
    for line in sorted(order.lines, key=lambda entry: entry.line_no):
        per_base = _per_base(line, ground.items)
        missing = line.quantity.value * per_base
        allocations = []
        for entry in [candidate for candidate in left if candidate.sku == line.sku]:
            if entry.quantity <= missing:
                left.remove(entry)
                missing -= entry.quantity
                quantity = Quantity(tidy(entry.quantity / per_base), line.quantity.uom)
                warehouse = next(place for place in ground.warehouses if place.code == entry.warehouse_code)
                day = first_ship_date(warehouse, order.submitted_at)
                allocations.append(Allocation(entry.warehouse_code, quantity, day, firm=False))
        routed.append(RoutedLine(line.line_no, tuple(allocations), (), tidy(missing / per_base), None))
    return tuple(routed)


def _per_base(line: LedgerLine, items: Mapping[str, Item]) -> Decimal:
    found = factor(line.quantity.uom, items[line.sku])
    return Decimal(1) if isinstance(found, ValidationFailed) else found


async def _write(case: OrderCase, routed: Sequence[RoutedLine], ground: _Ground) -> None:
    by_line = {entry.line_no: entry for entry in routed}
    places = {entry.code: entry for entry in ground.warehouses}

    def changed(order: LedgerOrder) -> LedgerOrder:
        lines = tuple(_promised(line, by_line.get(line.line_no), places, ground.ship_to) for line in order.lines)
        dates = [line.promised_date for line in lines]
        whole = max((day for day in dates if day is not None), default=None) if all(dates) else None
        return replace(order, lines=lines, promised_date=whole)

    await case.change(changed, lambda _: ())


def _promised(
    line: LedgerLine, routed: RoutedLine | None, places: Mapping[str, Warehouse], ship_to: ShipTo
) -> LedgerLine:
    if routed is None:
        return line
    days = [promised_on(entry.ship_date, places.get(entry.warehouse_code), ship_to) for entry in routed.allocations]
    if routed.backordered > 0:
        days.append(routed.backorder_date)
    known = [day for day in days if day is not None]
    promised = max(known) if known and len(known) == len(days) else None
    return replace(line, allocations=routed.allocations, backordered=routed.backordered, promised_date=promised)


def _stock_news(case: OrderCase, type_: str, sku: str, code: str, quantity: Decimal, uom: str) -> Event:
    place = f"{sku}:{code}"
    facts = {"sku": sku, "warehouseCode": code, "quantity": str(quantity), "uom": uom}
    told = case.news(type_, f"{type_}:{place}:{quantity}", facts)
    return replace(told, source="/dist/inventory", subject=place, partition_key=place)
