"""What key figures are gathered in: shares, averages and times, per bucket, in memory that the buckets bound."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

__all__ = ["Gauge", "Point", "Rate", "Share", "Times", "percentile"]

_PLACES = Decimal("0.001")
_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one bucket."""

    bucket: str
    value: Decimal
    unit: str
    numerator: Decimal | None = None
    denominator: Decimal | None = None


class Gauge(Protocol):
    """Gathers what one bucket has."""

    def points(self, bucket: str) -> Iterator[Point]:
        """Yield what was gathered; nothing when nothing was."""
        ...


@dataclass(slots=True)
class Share:
    """How many of all were so, in per cent."""

    so: int = 0
    total: int = 0

    def add(self, so: int | bool, total: int = 1) -> None:
        """Count some, and how many of them were so."""
        self.so += int(so)
        self.total += total

    def points(self, bucket: str) -> Iterator[Point]:
        """Yield the share."""
        if self.total:
            value = _rounded(Decimal(100) * self.so / self.total)
            yield Point(bucket, value, "%", Decimal(self.so), Decimal(self.total))


@dataclass(slots=True)
class Rate:
    """How much there was of something for every ``per`` of something else."""

    unit: str
    per: int = 1
    amount: int = 0
    base: int = 0

    def add(self, amount: int, base: int = 1) -> None:
        """Count an amount and what it is related to."""
        self.amount += amount
        self.base += base

    def points(self, bucket: str) -> Iterator[Point]:
        """Yield the rate."""
        if self.base:
            value = _rounded(Decimal(self.per) * self.amount / self.base)
            yield Point(bucket, value, self.unit, Decimal(self.amount), Decimal(self.base))


class Times:
    """How long something took: one percentile of the times, in hours. Eight bytes are kept per time.

    Args:
        share: which percentile, 0 to 1.
    """

    def __init__(self, share: float = 0.5) -> None:
        self._share = share
        self._seconds = array("d")

    def add(self, took: timedelta | float) -> None:
        """Take a time, in seconds when it is a number."""
        self._seconds.append(took.total_seconds() if isinstance(took, timedelta) else took)

    def points(self, bucket: str) -> Iterator[Point]:
        """Yield the percentile and, as denominator, of how many times it is one."""
        if self._seconds:
            hours = percentile(sorted(self._seconds), self._share) / _HOUR_S
            yield Point(bucket, _rounded(Decimal(repr(hours))), "h", None, Decimal(len(self._seconds)))


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of sorted values, between two of them where it falls between; 0.5 is the median."""
    place = (len(values) - 1) * share
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_UP)
