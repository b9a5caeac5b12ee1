"""What comes in place of goods that an order lacks: another item, in the same quantity, as a line of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from processes.api import LineAdded, LineChange, SubmissionLine
from processes.order_checks import MAX_LINE_NO, MAX_LINES, check_line
from processes.rules.uom import factor, tidy
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.orders import LedgerLine, LedgerOrder
from schema.records.problems import ValidationFailed
from schema.records.values import Quantity

__all__ = ["RESOLUTION", "gives_up", "offered", "substitutions"]

RESOLUTION = "SUBSTITUTE:"
"""What the resolution of a task begins with that substitutes; the item's number follows."""

MAX_OFFERED = 8
"""Substitutes that one task offers; the order desk chooses from a list that it can read."""


def offered(order: LedgerOrder, items: Mapping[str, Item], ship_to: ShipTo | None) -> tuple[str, ...]:
    """Return the items that may come in place of what an order lacks, those of its first line first."""
    named = dict.fromkeys(
        sku
        for line in order.lines
        if line.backordered > 0 and line.sku in items
        for sku in items[line.sku].substitute_skus
    )
    return tuple(sku for sku in named if substitutions(order, sku, items, ship_to))[:MAX_OFFERED]


def substitutions(
    order: LedgerOrder, sku: str, items: Mapping[str, Item], ship_to: ShipTo | None
) -> tuple[LineAdded, ...]:
    """Return the lines that an item makes in place of what lines lack for which it may stand, empty when it cannot."""
    numbers = _free_numbers(order)
    found: list[LineAdded] = []
    for line in order.lines:
        known, other = items.get(line.sku), items.get(sku)
        if line.backordered <= 0 or known is None or other is None or sku not in known.substitute_skus:
            continue
        quantity = _same_quantity(line, known, other)
        if quantity is None or len(order.lines) + len(found) >= MAX_LINES:
            continue
        number = next(numbers)
        if not any(check_line(0, SubmissionLine(number, sku, quantity), other, ship_to)):
            found.append(LineAdded(number, line.line_no, sku, quantity))
    return tuple(found)


def gives_up(line: LedgerLine) -> LineChange:
    """Return the change by which a line gives up what it lacks."""
    rest = line.wanted - line.backordered
    if rest > 0:
        return LineChange(line.line_no, quantity=Quantity(rest, line.quantity.uom))
    return LineChange(line.line_no, cancel=True)


def _same_quantity(line: LedgerLine, item: Item, other: Item) -> Quantity | None:
    """Return what a line lacks as a quantity of another item, None when the two are not counted alike."""
    uom = line.quantity.uom
    ours, theirs = factor(uom, item), factor(uom, other)
    if item.base_uom != other.base_uom or isinstance(ours, ValidationFailed):
        return None
    if ours == theirs:
        return Quantity(line.backordered, uom)
    return Quantity(tidy(line.backordered * ours), other.base_uom)


def _free_numbers(order: LedgerOrder) -> Iterator[int]:
    """Return numbers that no line of the order has, those after its last first."""
    taken: Sequence[int] = [line.line_no for line in order.lines]
    last = max(taken)
    return (number for number in chain(range(last + 1, MAX_LINE_NO + 1), range(1, last)) if number not in taken)
