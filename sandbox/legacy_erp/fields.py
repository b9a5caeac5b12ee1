"""Fields of records as the old programs keep them, between the wire and the books.

Texts are padded with blanks, amounts are whole numbers with implied decimals, dates are CYYMMDD numbers, flags Y or N,
words codes of two letters. A number that has no value is left out of its record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sandbox.erp_book.codes import BadField, ErpError
from sandbox.kit.rest import utc_text

__all__ = ["NO_END", "Field", "Kind", "day_number", "day_of", "parse", "render", "stamp_text"]

NO_END = 9_999_999
"""CYYMMDD of what has no end."""

NO_DAY = 0
"""CYYMMDD of no date."""

MAX_NUMBER = 10**15
"""Above every number that a field holds: packed fields have fifteen digits."""


class Kind(Enum):
    """What a field holds."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    DATE = "DATE"
    LAST_DAY = "LAST_DAY"
    STAMP = "STAMP"
    FLAG = "FLAG"
    WORD = "WORD"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record and the column of the books that it shows.

    Attributes:
        size: width of a text, implied decimals of a number.
        words: codes of the books' words.
        refusal: code of a refusal of what the field cannot hold.
    """

    name: str
    column: str
    kind: Kind = Kind.TEXT
    size: int = 0
    words: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ErpError.FIELD


def render(layout: Sequence[Field], row: Mapping[str, Any] | sqlite3.Row) -> dict[str, Any]:
    """Return a record of a row of the books."""
    record: dict[str, Any] = {}
    for one in layout:
        value = row[one.column]
        match one.kind:
            case Kind.TEXT:
                record[one.name] = (value or "").ljust(one.size)[: one.size]
            case Kind.NUMBER if value is not None:
                record[one.name] = int(Decimal(str(value)).scaleb(one.size))
            case Kind.DATE:
                record[one.name] = NO_DAY if value is None else day_number(date.fromisoformat(value))
            case Kind.LAST_DAY:
                record[one.name] = NO_END if value is None else day_number(date.fromisoformat(value))
            case Kind.STAMP:
                record |= _stamp(one.name, value)
            case Kind.FLAG:
                record[one.name] = "Y" if value else "N"
            case Kind.WORD:
                # A word that no table has, as somebody's patch of the data may leave it, is cut like everything else.
                record[one.name] = one.words.get(value, str(value)[:2].upper()).ljust(2)
            case _:
                pass
    return record


def parse(layout: Sequence[Field], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record says, by the books' columns; what is left out stays out.

    Raises:
        BadField: a value is none of its field; ``target`` is the books' column.
    """
    found: dict[str, Any] = {}
    for one in layout:
        if one.kind is Kind.STAMP:
            if record.get(f"{one.name}DT"):
                found[one.column] = stamp_text(record, one.name)
        elif one.name in record:
            found[one.column] = _value(one, record[one.name])
    return found


def _value(one: Field, value: object) -> Any:
    match one.kind:
        case Kind.TEXT if isinstance(value, str) and len(value.rstrip()) <= one.size:
            return value.rstrip() or None
        case Kind.NUMBER if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_NUMBER:
            return value if one.size == 0 else Decimal(value).scaleb(-one.size)
        case Kind.DATE if isinstance(value, int):
            day = day_of(value, one.column)
            return None if day is None else day.isoformat()
        case Kind.LAST_DAY if isinstance(value, int):
            last = None if value == NO_END else day_of(value, one.column)
            return None if last is None else last.isoformat()
        case Kind.FLAG if value in ("Y", "N"):
            return value == "Y"
        case Kind.WORD:
            for word, code in one.words.items():
                if isinstance(value, str) and code == value.rstrip():
                    return word
    raise BadField(one.refusal, f"{one.name} has a value that the field cannot hold", one.column)


def day_number(day: date) -> int:
    """Return a day as CYYMMDD: the century since 1900, and the rest."""
    return (day.year - 1900) * 10_000 + day.month * 100 + day.day


def day_of(number: int, name: str) -> date | None:
    """Return the day of a CYYMMDD number, None for no date.

    Raises:
        BadField: it is no day.
    """
    if number == NO_DAY:
        return None
    if number >= NO_END:
        raise BadField(ErpError.FIELD, f"{number} is no day as CYYMMDD", name)
    try:
        return date(number // 10_000 + 1900, number // 100 % 100, number % 100)
    except ValueError as error:
        raise BadField(ErpError.FIELD, f"{number} is no day as CYYMMDD", name) from error


def stamp_text(record: Mapping[str, Any], name: str) -> str:
    """Return the moment of a pair of fields (CYYMMDD and HHMMSSmmm) as the books keep it.

    Raises:
        BadField: the two are no moment.
    """
    day, clock = record.get(f"{name}DT"), record.get(f"{name}TM", 0)
    wrong = BadField(ErpError.FIELD, f"{name}DT and {name}TM are no moment", name)
    when = day_of(day, name) if isinstance(day, int) else None
    if when is None or not isinstance(clock, int):
        raise wrong
    hours, minutes, seconds, millis = clock // 10**7, clock // 10**5 % 100, clock // 1000 % 100, clock % 1000
    try:
        moment = datetime(when.year, when.month, when.day, hours, minutes, seconds, millis * 1000, UTC)
    except ValueError as error:
        raise wrong from error
    return utc_text(moment)


def _stamp(name: str, value: str | None) -> dict[str, int]:
    if value is None:
        return {f"{name}DT": NO_DAY, f"{name}TM": 0}
    at = datetime.fromisoformat(value).astimezone(UTC)
    clock = at.hour * 10**7 + at.minute * 10**5 + at.second * 1000 + at.microsecond // 1000
    return {f"{name}DT": day_number(at.date()), f"{name}TM": clock}
