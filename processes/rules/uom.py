"""Units of measure: asked quantities to base units and back, exactly.

``per_base`` base units make one of a unit, so converting to base units multiplies and loses nothing. The way back may
not come out even (7 pieces in boxes of 12) and is then rounded down, because it tells how much can be had.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Protocol

from schema.records.problems import ValidationFailed
from schema.records.values import ItemUom, Quantity

__all__ = [
    "MAX_QUANTITY",
    "Measured",
    "Units",
    "convert",
    "factor",
    "from_base",
    "smallest_sold",
    "tidy",
    "to_base",
]

MAX_QUANTITY = Decimal(1_000_000_000)
"""Largest quantity of one line in base units; more is a typing error and not an order."""

QUANTITY_DECIMALS = 6
"""Decimals of a quantity in base units that every ledger keeps."""

_STEP = Decimal(1).scaleb(-QUANTITY_DECIMALS)
_MAX_DIGITS = 28
"""Digits that decimal arithmetic keeps; more would be rounded without a word."""


class Measured(Protocol):
    """What of an item the rules for units look at; :class:`schema.records.catalog.Item` is one."""

    @property
    def base_uom(self) -> str:
        """Unit that stock and prices are kept in."""

    @property
    def uoms(self) -> tuple[ItemUom, ...]:
        """Units that it is counted in."""

    @property
    def min_quantity(self) -> Decimal:
        """Smallest quantity sold, in base units."""

    @property
    def multiple(self) -> Decimal:
        """What a sold quantity is a multiple of, in base units; zero means anything."""


@dataclass(frozen=True, slots=True)
class Units:
    """The units of an item whose other data is not at hand."""

    base_uom: str
    uoms: tuple[ItemUom, ...]
    min_quantity: Decimal = Decimal(0)
    multiple: Decimal = Decimal(0)


def to_base(quantity: Quantity, item: Measured, path: tuple[str, ...] = ()) -> Decimal | ValidationFailed:
    """Return a quantity to be sold in base units: a known, sellable unit, the minimum reached, a whole multiple.

    ``path`` is where the quantity stands in the caller's input, for the problem.
    """
    base = convert(quantity, item, path)
    if isinstance(base, ValidationFailed):
        return base
    if base < item.min_quantity:
        message = f"{_plain(quantity)} is less than the smallest quantity sold, {_base(item.min_quantity, item)}"
        return _failed("MIN_QUANTITY", message, (*path, "value"))
    if item.multiple > 0 and base % item.multiple != 0:
        message = f"{_plain(quantity)} is not a multiple of {_base(item.multiple, item)}"
        return _failed("MULTIPLE", message, (*path, "value"))
    return base


def convert(quantity: Quantity, item: Measured, path: tuple[str, ...] = ()) -> Decimal | ValidationFailed:
    """Return a quantity in base units without asking whether that much may be sold."""
    per_base = factor(quantity.uom, item, path)
    if isinstance(per_base, ValidationFailed):
        return per_base
    if not quantity.value.is_finite() or quantity.value <= 0:
        return _failed("QUANTITY_POSITIVE", f"quantity {quantity.value} is not above zero", (*path, "value"))
    if quantity.value > MAX_QUANTITY or quantity.value * per_base > MAX_QUANTITY:
        largest = f"quantity {quantity.value} {quantity.uom} is more than {MAX_QUANTITY:,} {item.base_uom}"
        return _failed("QUANTITY_TOO_LARGE", f"{largest}, the most a line may hold", (*path, "value"))
    base = quantity.value * per_base
    is_long = len(quantity.value.as_tuple().digits) > _MAX_DIGITS
    if is_long or base != base.quantize(_STEP, ROUND_DOWN):
        finer = (
            f"quantity {quantity.value} {quantity.uom} is finer than {QUANTITY_DECIMALS} decimals of {item.base_uom}"
        )
        return _failed("QUANTITY_TOO_FINE", finer, (*path, "value"))
    return base


def from_base(base: Decimal, uom: str, item: Measured) -> Quantity | ValidationFailed:
    """Return base units in another unit, rounded down to ``QUANTITY_DECIMALS`` where it does not come out even."""
    per_base = factor(uom, item)
    if isinstance(per_base, ValidationFailed):
        return per_base
    return Quantity(tidy((base / per_base).quantize(_STEP, ROUND_DOWN)), uom)


def smallest_sold(item: Measured) -> Decimal:
    """Return the smallest quantity sold in whole base units: the minimum, filled up to the next multiple."""
    least = max(item.min_quantity, Decimal(1))
    return least if item.multiple <= 0 else (least / item.multiple).to_integral_value(ROUND_UP) * item.multiple


def factor(uom: str, item: Measured, path: tuple[str, ...] = ()) -> Decimal | ValidationFailed:
    """Return how many base units make one ``uom``; the problem names the units that are accepted."""
    known = {entry.uom: entry for entry in item.uoms}
    found = known.get(uom)
    if found is not None and found.sellable and found.per_base > 0:
        return found.per_base
    if found is None and uom == item.base_uom:
        return Decimal(1)
    accepted = _accepted(item.base_uom, known.values())
    wrong = "is not sold" if found is not None else "is unknown"
    message = f"unit {uom!r} {wrong} for this item: use one of {', '.join(accepted)}"
    return _failed("UNKNOWN_UNIT", message, (*path, "uom"))


def tidy(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros and without an exponent."""
    normal = value.normalize()
    return normal.quantize(Decimal(1)) if normal == normal.to_integral_value() else normal


def _accepted(base_uom: str, entries: Iterable[ItemUom]) -> list[str]:
    by_name = {base_uom: True} | {entry.uom: entry.sellable for entry in entries}
    return [name for name, sellable in by_name.items() if sellable]


def _plain(quantity: Quantity) -> str:
    return f"{tidy(quantity.value):f} {quantity.uom}"


def _base(value: Decimal, item: Measured) -> str:
    return f"{tidy(value):f} {item.base_uom}"


def _failed(rule: str, message: str, path: tuple[str, ...]) -> ValidationFailed:
    return ValidationFailed(
        code="VALIDATION_FAILED", message=message, path=path or None, rule=rule, field=path[-1] if path else None
    )
