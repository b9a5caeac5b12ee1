"""Fields of the old programs' records as our values, and ours as theirs.

Texts are padded with blanks; amounts are whole numbers with implied decimals; dates are CYYMMDD numbers, 0 for none and
all nines for no end; moments are a date and HHMMSSmmm in UTC; what has no value is left out. A field that is not of its
kind raises ``LookupError``, ``TypeError`` or ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from schema.records.currencies import minor_digits
from schema.records.values import Money

__all__ = [
    "MONEY",
    "PERCENT",
    "QUANTITY",
    "RATE",
    "UNIT_PRICE",
    "Record",
    "date_number",
    "implied",
    "is_flag",
    "moment_numbers",
    "read_amount",
    "read_count",
    "read_date",
    "read_last_date",
    "read_moment",
    "read_money",
    "read_text",
    "read_word",
    "text_or_none",
]

MONEY, UNIT_PRICE, QUANTITY, RATE, PERCENT = 3, 5, 3, 8, 4
"""Implied decimals of the kinds of numbers."""

MAX_NUMBER = 10**15
"""Above every number that a packed field holds."""

NO_DATE, NO_END = 0, 9_999_999

KEPT = 8_192
"""Numbers that are kept read: the same few quantities and prices come again and again."""


Record = Mapping[str, Any]
T = TypeVar("T")


def read_text(record: Record, name: str) -> str:
    """Return a text without its padding."""
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value.rstrip(" ")


def text_or_none(record: Record, name: str) -> str | None:
    """Return a text without its padding, None when it is blank."""
    return read_text(record, name) or None


def is_flag(record: Record, name: str) -> bool:
    """Return whether a flag is set."""
    return {"Y": True, "N": False}[record[name]]


def read_count(record: Record, name: str) -> int:
    """Return a number without decimals."""
    return _number(name, record[name])


def read_amount(record: Record, name: str, decimals: int) -> Decimal:
    """Return a number with its implied decimals, without zeros at its end."""
    return _decimal(_number(name, record[name]), decimals)


def read_money(record: Record, name: str, currency: str, decimals: int = MONEY) -> Money:
    """Return an amount of money with at least the digits of its currency."""
    return _money(_number(name, record[name]), decimals, currency)


def read_date(record: Record, name: str) -> date | None:
    """Return a CYYMMDD date, None when there is none."""
    return _date(name, record[name])


def read_last_date(record: Record, name: str) -> date | None:
    """Return the last day of something, None when it has no end."""
    return None if record[name] == NO_END else _date(name, record[name])


def read_moment(record: Record, name: str) -> datetime | None:
    """Return the moment of a pair of fields, None when there is none."""
    day, clock = _date(f"{name}DT", record[f"{name}DT"]), _number(f"{name}TM", record[f"{name}TM"])
    if day is None:
        return None
    hours, minutes, seconds, millis = clock // 10**7, clock // 10**5 % 100, clock // 1000 % 100, clock % 1000
    return datetime(day.year, day.month, day.day, hours, minutes, seconds, millis * 1000, UTC)


def read_word(kind: str, record: Record, name: str, words: Mapping[str, T]) -> T:
    """Return what a code means.

    Raises:
        ValueError: nobody knows it; it is never taken for another.
    """
    code = read_text(record, name)
    if code not in words:
        raise ValueError(f"{kind} {code!r} is not known")
    return words[code]


def implied(amount: Decimal, decimals: int) -> int | str:
    """Return an amount as a number with implied decimals; one that is finer stays a text, which the ERP refuses."""
    scaled = amount.scaleb(decimals)
    return int(scaled) if scaled == scaled.to_integral_value() else format(amount, "f")


def date_number(day: date | None) -> int:
    """Return a date as CYYMMDD: the century since 1900, and the rest."""
    return NO_DATE if day is None else (day.year - 1900) * 10_000 + day.month * 100 + day.day


def moment_numbers(name: str, at: datetime) -> dict[str, int]:
    """Return a moment as a pair of fields, in milliseconds, the next one up: bounds keep what they let through."""
    finer = at.microsecond % 1_000
    up = (at + timedelta(microseconds=1_000 - finer) if finer else at).astimezone(UTC)
    clock = up.hour * 10**7 + up.minute * 10**5 + up.second * 1_000 + up.microsecond // 1_000
    return {f"{name}DT": date_number(up.date()), f"{name}TM": clock}


def _number(name: str, value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{name} is no whole number")
    if abs(value) >= MAX_NUMBER:
        raise ValueError(f"{name} has more digits than a field holds")
    return value


@lru_cache(maxsize=KEPT)
def _decimal(number: int, decimals: int) -> Decimal:
    exact = Decimal(number).scaleb(-decimals).normalize()
    return exact if exact.as_tuple().exponent <= 0 else exact.quantize(Decimal(1))  # type: ignore[operator]  # finite


@lru_cache(maxsize=KEPT)
def _money(number: int, decimals: int, currency: str) -> Money:
    exact, digits = _decimal(number, decimals), minor_digits(currency)
    if exact.as_tuple().exponent > -digits:  # type: ignore[operator]  # amounts are finite
        exact = exact.quantize(Decimal(1).scaleb(-digits))
    return Money(exact, currency)


@lru_cache(maxsize=KEPT, typed=True)
def _date(name: str, value: Any) -> date | None:
    number = _number(name, value)
    if number == NO_DATE:
        return None
    if number > NO_END:
        raise ValueError(f"{name} {number} is no CYYMMDD date")
    try:
        return date(number // 10_000 + 1900, number // 100 % 100, number % 100)
    except ValueError as error:
        raise ValueError(f"{name} {number} is no CYYMMDD date") from error
