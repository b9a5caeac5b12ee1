"""Days that callers name, judged without knowing where on earth they are."""

from __future__ import annotations

from datetime import date, datetime, timedelta

__all__ = ["has_passed"]

WEST_OF_ALL = timedelta(hours=12)
"""Somewhere it is still yesterday this long: a day has passed when it has passed everywhere."""


def has_passed(day: date, now: datetime) -> bool:
    """Return whether the day is over everywhere."""
    return day < (now - WEST_OF_ALL).date()
