"""What measures of key figures share: a gauge per bucket, and the bucket that something counts in.

A measure takes facts one after the other, so that a figure over years needs no more memory than its buckets (and eight
bytes per time that a median is taken of).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Generic, TypeVar

from events.projections.facts import OrderFact
from events.projections.gauges import Gauge, Point
from events.projections.period import ALL, Period

__all__ = ["MAX_BUCKETS", "Gauges", "Measure", "TooManyBuckets", "by_bucket"]

MAX_BUCKETS = 1_500
"""Buckets of one answer: four years of days, or as many accounts."""

G = TypeVar("G", bound=Gauge)


class TooManyBuckets(Exception):
    """The grouping makes more buckets than one answer may have."""


class Gauges(Generic[G]):
    """A gauge per bucket."""

    def __init__(self, make: Callable[[], G]) -> None:
        self._make = make
        self._gauges: dict[str, G] = {}

    def at(self, bucket: str) -> G:
        """Return the gauge of a bucket."""
        found = self._gauges.get(bucket)
        if found is None:
            if len(self._gauges) >= MAX_BUCKETS:
                raise TooManyBuckets
            found = self._gauges[bucket] = self._make()
        return found

    def points(self) -> Iterator[Point]:
        """Yield every point by the name of its bucket."""
        for bucket in sorted(self._gauges):
            yield from self._gauges[bucket].points(bucket)


class Measure:
    """Takes facts and gives points; one use each."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        self.period = period
        self.group_by = group_by

    def add(self, fact: Any) -> None:
        """Take a fact."""
        raise NotImplementedError

    def points(self) -> tuple[Point, ...]:
        """Return the figures."""
        raise NotImplementedError

    def order_bucket(self, order: OrderFact, when: date) -> str:
        """Return the bucket of something of an order that counts for a day."""
        match self.group_by:
            case "channel":
                return order.channel or "UNKNOWN"
            case "account":
                return order.account_id or "UNKNOWN"
            case _:
                return self.period.bucket(self.group_by, when)


def by_bucket(*gauges: Gauges[Any]) -> tuple[Point, ...]:
    """Return every point by the name of its bucket."""
    found = [point for entry in gauges for point in entry.points()]
    return tuple(sorted(found, key=lambda point: (point.bucket != ALL, point.bucket)))
