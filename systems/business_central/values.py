"""The ERP's JSON values as ours.

Amounts are JSON numbers. A number of up to 15 digits survives the way through binary floating point unharmed, so it is
read digit by digit from its shortest text; one with more digits may have lost some and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from schema.records.currencies import minor_digits
from schema.records.values import Money

__all__ = ["json_number", "read_amount", "read_date", "read_money", "read_time", "word"]

EXACT_DIGITS = 15
"""Significant digits that every JSON number keeps."""

KEPT = 8_192
"""Values that are kept read: the same few quantities and prices come again and again."""

T = TypeVar("T")


@lru_cache(maxsize=KEPT, typed=True)
def read_amount(value: Any) -> Decimal:
    """Return a number exactly.

    Raises:
        TypeError: it is no number.
        ValueError: it has more digits than a JSON number keeps.
    """
    if type(value) is int:
        return Decimal(value)
    if type(value) is not float:
        raise TypeError(f"{value!r} is no number")
    text = repr(value)
    exact = Decimal(text)
    if not exact.is_finite() or len(exact.as_tuple().digits) > EXACT_DIGITS:
        raise ValueError(f"{text} has more than {EXACT_DIGITS} digits")
    return exact


@lru_cache(maxsize=KEPT, typed=True)
def read_money(value: Any, currency: str) -> Money:
    """Return an amount of money with at least the digits of its currency."""
    exact = read_amount(value)
    digits = minor_digits(currency)
    if exact.as_tuple().exponent > -digits:  # type: ignore[operator]  # amounts are finite
        exact = exact.quantize(Decimal(1).scaleb(-digits))
    return Money(exact, currency)


def json_number(value: Decimal) -> orjson.Fragment:
    """Return a number as JSON with all of its digits."""
    return orjson.Fragment(format(value, "f"))


def read_date(value: str | None) -> date | None:
    """Return a date, None when there is none."""
    return None if value is None else date.fromisoformat(value)


def read_time(value: str | None) -> datetime | None:
    """Return a time, None when there is none."""
    return None if value is None else datetime.fromisoformat(value)


def word(kind: str, value: Any, words: Mapping[str, T]) -> T:
    """Return what one of the ERP's words means.

    Raises:
        ValueError: nobody knows it; it is never taken for another.
    """
    found = words.get(value)
    if found is None:
        raise ValueError(f"{kind} {value!r} is not known")
    return found
