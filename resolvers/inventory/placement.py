"""Which warehouses a reservation takes its lines from, and what to say when there is not enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from processes.rules.atp import hold_limit
from processes.rules.uom import tidy
from resolvers.inventory.reader import InventoryReader
from schema.inventory.context import Promise
from schema.records.catalog import Item
from schema.records.inventory import ReserveLine, StockPosition
from schema.records.problems import Stockout, ValidationFailed
from schema.records.values import Quantity

__all__ = ["CheckedLine", "Short", "Wanted", "impossible", "place", "stockout"]

_NONE = Decimal(0)
_STEP = Decimal("0.000001")
_NOWHERE = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line to hold; ``warehouse_code`` None leaves the choice to the platform."""

    sku: str
    quantity: Quantity
    warehouse_code: str | None


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A line that is in order: its place in the request, its item, its base units in all and in one asked unit."""

    index: int
    wanted: Wanted
    item: Item
    base: Decimal
    per_base: Decimal

    def whole(self, base: Decimal) -> Decimal:
        """Return the part of base units that makes whole asked units; what is asked in fractions may be split."""
        quantity = self.wanted.quantity.value
        if self.per_base <= 1 or quantity != quantity.to_integral_value():
            return base
        return (base / self.per_base).to_integral_value(ROUND_FLOOR) * self.per_base


@dataclass(frozen=True, slots=True)
class Short:
    """A line for which there is not enough, with the base units that it could have."""

    line: CheckedLine
    left: Decimal


def place(
    lines: Sequence[CheckedLine],
    positions: Iterable[StockPosition],
    soft: Mapping[tuple[str, str], Decimal],
    open_codes: Sequence[str],
) -> tuple[list[ReserveLine], list[Short]]:
    """Return (what to hold where, lines for which there is not enough); nothing is given to two lines.

    A line comes whole from the warehouse with the least that still covers it, so that large lines find large stocks;
    else in parts of whole asked units, from the one with most first.
    """
    limits = {(entry.sku, entry.warehouse_code): hold_limit(entry) for entry in positions}
    free = {
        where: max(_NONE, limit - soft.get(where, _NONE)) for where, limit in limits.items() if where[1] in open_codes
    }
    placed: list[ReserveLine] = []
    short: list[Short] = []
    for line in lines:
        sku, code = line.item.sku, line.wanted.warehouse_code
        places = [where for where in free if where[0] == sku and code in (None, where[1])]
        places.sort(key=lambda where: (-free[where], where[1]))
        covering = [where for where in places if free[where] >= line.base]
        missing = line.base
        for where in covering[-1:] or places:
            part = line.whole(min(free[where], missing))
            if part > 0:
                free[where] -= part
                missing -= part
                placed.append(ReserveLine(line.index + 1, sku, where[1], part, line.item.base_uom, limits[where]))
        if missing > 0:
            short.append(Short(line, line.base - missing))
    return placed, short


def impossible(line: CheckedLine) -> ReserveLine:
    """Return a line that can never be held: asking for it tells only whether a key has held something before."""
    code = line.wanted.warehouse_code or _NOWHERE
    return ReserveLine(line.index + 1, line.item.sku, code, line.base, line.item.base_uom, limit=Decimal(-1))


async def stockout(reader: InventoryReader, short: Short) -> Stockout:
    """Return what a line could have where it was asked for, and when the whole quantity can be had there."""
    line, wanted = short.line, short.line.wanted
    available = tidy((short.left / line.per_base).quantize(_STEP, ROUND_FLOOR))
    answer = await reader.availability(
        Promise(wanted.sku, line.item.base_uom, line.item.uoms, wanted.quantity, warehouse_code=wanted.warehouse_code)
    )
    when = None if isinstance(answer, ValidationFailed) else answer.full_date
    rest = f", all of it from {when.isoformat()}" if when is not None else ""
    asked = f"{tidy(wanted.quantity.value):f} {wanted.quantity.uom}"
    return Stockout(
        code="STOCKOUT",
        message=f"{wanted.sku}: {asked} asked for, {available:f} available now{rest}",
        path=("lines", str(line.index)),
        retryable=True,
        sku=wanted.sku,
        requested=wanted.quantity,
        available=Quantity(available, wanted.quantity.uom),
        line_no=line.index + 1,
        next_available=when,
        substitute_skus=line.item.substitute_skus,
    )
