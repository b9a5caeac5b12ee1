"""Stock for what the lines of a changed order grow by: held from before the ERP changes until it has allocated it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from processes.amend_case import AmendCase
from processes.amend_lines import is_grown, lines_before
from processes.order_sourcing import UNRESERVED
from processes.rules.supply import free_now, hold_limit
from processes.rules.uom import factor, tidy
from processes.steps import DONE, Outcome, Verdict
from schema.enums import ReservationStatus, SourceSystem
from schema.records.catalog import Item
from schema.records.inventory import ReserveLine
from schema.records.orders import Allocation, LedgerLine, LedgerOrder
from schema.records.problems import Stockout, ValidationFailed
from schema.records.values import Quantity
from systems.errors import Conflict

__all__ = ["give_back", "look_up_reservation", "reserve", "stockout"]

RESERVED_FOR = timedelta(hours=24)
"""How long goods are kept for a change that waits for the ERP."""

_NONE = Decimal(0)


async def reserve(case: AmendCase) -> Outcome:
    """Hold what the lines grow by where they ship from, until the ERP has allocated it; the rest is backordered.

    An added line ships from where most of it is free, and comes only where all of it is.
    """
    order, items = await case.order(), await case.items()
    before = lines_before(order.lines, order.amended_lines)
    grown = [pair for pair in zip(before, order.amended_lines, strict=True) if is_grown(*pair)]
    now, wanted, short = case.use.clock.now(), list[ReserveLine](), list[Stockout]()
    skus = sorted({after.sku for _, after in grown})
    positions = {(entry.sku, entry.warehouse_code): entry for entry in await case.use.wms.stock(skus)} if skus else {}
    soft = await case.use.reservations.reserved(skus, now)
    free = {place: free_now(entry, soft.get(place, _NONE)) for place, entry in positions.items()}
    new, places = {entry.line_no for entry in case.amendment.added}, dict[int, str]()
    for was, after in grown:
        growth = (after.wanted - was.wanted) * _per_base(after, items)
        code = next((entry.warehouse_code for entry in was.allocations), None)
        if after.line_no in new:
            code = places[after.line_no] = _fullest(after.sku, free)
        place = (after.sku, code or "")
        there = free.get(place, _NONE)
        if there < growth and (after.line_no in new or not order.allow_backorder):
            short.append(stockout(after, was.wanted + tidy(there / _per_base(after, items))))
        if there > 0:
            held = min(growth, there)
            free[place] = there - held
            limit = hold_limit(positions[place])
            wanted.append(ReserveLine(after.line_no, after.sku, place[1], held, items[after.sku].base_uom, limit))
    if short:
        return Outcome(Verdict.REFUSED, tuple(short))
    if places:
        await case.change(lambda stored: _placed(stored, places, now.date()), lambda _: ())
    if wanted:
        key, until = case.own_key("resv"), now + RESERVED_FOR
        kept, missing = await case.use.reservations.reserve(key, case.account_id, wanted, until, now)
        if missing:
            raise Conflict(SourceSystem.PLATFORM, "reserve", f"stock of order {order.number} changed meanwhile")
        if not kept:
            return UNRESERVED
    return DONE


async def look_up_reservation(case: AmendCase) -> Outcome:
    """Return whether an attempt that was given up has held the goods; if not, none that is under way still will."""
    now = case.use.clock.now()
    held, _ = await case.use.reservations.reserve(case.own_key("resv"), case.account_id, (), now, now)
    return DONE if held else UNRESERVED


async def give_back(case: AmendCase) -> None:
    """Release what was held for the change."""
    await case.use.reservations.settle(case.own_key("resv"), ReservationStatus.RELEASED)


def _fullest(sku: str, free: Mapping[tuple[str, str], Decimal]) -> str:
    """Return the warehouse where most of an item is free, an empty text when it is nowhere."""
    found = [(quantity, code) for (name, code), quantity in free.items() if name == sku]
    return min(found, key=lambda entry: (-entry[0], entry[1]))[1] if found else ""


def _placed(order: LedgerOrder, places: Mapping[int, str], today: date) -> LedgerOrder:
    """Return the order with where its added lines ship from; the ERP's allocation says so in the end."""
    lines = [
        replace(line, allocations=(Allocation(places[line.line_no], line.quantity, today, firm=False),))
        if line.line_no in places
        else line
        for line in order.amended_lines
    ]
    return replace(order, amended_lines=tuple(lines))


def _per_base(line: LedgerLine, items: Mapping[str, Item]) -> Decimal:
    found = factor(line.quantity.uom, items[line.sku])
    return Decimal(1) if isinstance(found, ValidationFailed) else found


def stockout(after: LedgerLine, available: Decimal) -> Stockout:
    """Return that less can be had of a line than is wanted."""
    return Stockout(
        code="STOCKOUT",
        message=f"{after.sku}: {available:f} of {after.wanted:f} {after.quantity.uom} can be had",
        sku=after.sku,
        requested=after.quantity,
        available=Quantity(available, after.quantity.uom),
        line_no=after.line_no,
    )
