"""Business hours: how long a question waited while somebody was there to answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

__all__ = ["HOURS", "OFFICE", "TARGETS", "Hours", "business_time", "hours_of", "target_of"]

_WEEK = 5
"""Working days of a week, from Monday."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a queue is attended, in UTC; ``days`` from Monday on."""

    begin: time
    end: time
    days: int = _WEEK


OFFICE = Hours(time(12), time(22))
"""The distributor's offices in America: 07:00 to 17:00 Central is 12:00 to 22:00 UTC for most of the year."""

HOURS: Mapping[str, Hours] = {
    "FULFILMENT": Hours(time(10), time(23), days=6),
    "INTEGRATION": Hours(time(0), time.max, days=7),
    "SERVICE": Hours(time(0), time.max, days=7),
}
"""Queues that keep other hours than the offices."""

TARGETS: Mapping[str, timedelta] = {"FULFILMENT": timedelta(hours=2), "INTEGRATION": timedelta(hours=1)}
"""Business time within which a queue answers, where it is not ``_TARGET``."""

_TARGET = timedelta(hours=4)


def hours_of(queue: str) -> Hours:
    """Return when a queue is attended."""
    return HOURS.get(queue, OFFICE)


def target_of(queue: str) -> timedelta:
    """Return the business time within which a queue answers."""
    return TARGETS.get(queue, _TARGET)


def business_time(hours: Hours, since: datetime, until: datetime) -> timedelta:
    """Return how much of a span lies within business hours; whole weeks are counted, not walked."""
    if until <= since:
        return timedelta()
    weeks = (until - since) // timedelta(days=7)
    total = weeks * hours.days * _length(hours)
    day, last = (since + weeks * timedelta(days=7)).date(), until.date()
    begin = since + weeks * timedelta(days=7)
    while day <= last:
        total += _within(hours, day, begin, until)
        day += timedelta(days=1)
    return total


def _within(hours: Hours, day: date, since: datetime, until: datetime) -> timedelta:
    if day.weekday() >= hours.days:
        return timedelta()
    begin = max(datetime.combine(day, hours.begin, UTC), since)
    end = min(datetime.combine(day, hours.end, UTC), until)
    return max(end - begin, timedelta())


def _length(hours: Hours) -> timedelta:
    day = date.min
    return datetime.combine(day, hours.end) - datetime.combine(day, hours.begin)
