"""Column types that mean the same on SQLite and PostgreSQL: exact quantities, aware times, JSON documents."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

__all__ = ["QUANTITY_DECIMALS", "AwareTime", "ExactQuantity", "counter", "document"]

QUANTITY_DECIMALS = 6
"""Decimals that a stored quantity keeps; more would be finer than any unit that goods are counted in."""

_UNITS_PER_ONE = Decimal(10) ** QUANTITY_DECIMALS


class ExactQuantity(TypeDecorator[Decimal]):
    """A decimal kept as a whole number of millionths, so that the database adds and compares it without rounding."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Return the stored number of millionths."""
        del dialect
        if value is None:
            return None
        scaled = Decimal(value) * _UNITS_PER_ONE
        whole = int(scaled)
        if whole != scaled:
            raise ValueError(f"quantity {value} has more than {QUANTITY_DECIMALS} decimals: round it before it is kept")
        return whole

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:
        """Return the decimal; a sum over the column may arrive as a decimal of its own."""
        del dialect
        if value is None:
            return None
        # Going through text of the integral value keeps 5 as "5" and not as "5.000000" or "5E+0".
        plain = (Decimal(int(value)) / _UNITS_PER_ONE).normalize()
        return plain.quantize(Decimal(1)) if plain == plain.to_integral_value() else plain


class AwareTime(TypeDecorator[datetime]):
    """A point in time: ``timestamptz`` on PostgreSQL, UTC text that sorts by time on SQLite; always aware in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC, without its zone where the database cannot keep one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value.isoformat()} has no zone: times are aware and in UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time, aware, in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def document() -> JSON:
    """Return the type of a JSON document: ``jsonb`` on PostgreSQL, text on SQLite."""
    return JSON().with_variant(JSONB(), "postgresql")


def counter() -> BigInteger:
    """Return the type of a primary key that the database counts up itself."""
    return BigInteger().with_variant(Integer(), "sqlite")
