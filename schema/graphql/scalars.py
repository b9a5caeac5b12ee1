"""Scalars of the graph. Decimals travel as text, so that no client rounds them; times and dates are ISO 8601."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry.types.scalar import ScalarDefinition, scalar

__all__ = ["SCALARS"]

MAX_DIGITS = 30
"""Digits of a number that is taken as input; more is no quantity and no amount."""


def _write_decimal(value: Decimal) -> str:
    return format(value, "f")


def _read_decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError('a decimal is a text such as "12.50"')  # noqa: TRY004 - graphql-core wants one kind
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f'{value!r} is no decimal: give a text such as "12.50"') from None
    if not number.is_finite() or len(number.as_tuple().digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError(f"{value!r} is no decimal with at most {MAX_DIGITS} digits")
    return number


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_time(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no time such as 2026-03-04T15:30:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: end it with Z or an offset")
    return moment.astimezone(UTC)


def _read_date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no date such as 2026-03-04") from None


def _scalar(name: str, write: Any, read: Any, description: str) -> ScalarDefinition:
    return scalar(name=name, serialize=write, parse_value=read, description=description)


SCALARS: dict[object, ScalarDefinition] = {
    **DEFAULT_SCALAR_REGISTRY,
    Decimal: _scalar("Decimal", _write_decimal, _read_decimal, "An exact decimal number, as text."),
    datetime: _scalar("DateTime", _write_time, _read_time, "A point in time, ISO 8601 with a zone."),
    date: _scalar("Date", date.isoformat, _read_date, "A calendar day, ISO 8601."),
}
"""Scalars by Python type, for the configuration of a schema."""
