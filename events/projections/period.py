"""The period that figures are asked for, and its buckets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

__all__ = ["ALL", "Period"]

ALL = "ALL"
"""The bucket of figures that are not grouped."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from ``begin`` to ``end``, both included, as seen at ``now``."""

    begin: date
    end: date
    now: datetime

    def has(self, when: date | datetime | None) -> bool:
        """Return whether a day or a time lies in the period."""
        day = when.date() if isinstance(when, datetime) else when
        return day is not None and self.begin <= day <= self.end

    def is_due(self, day: date | None) -> bool:
        """Return whether a date lies in the period and is over, so that it was kept or missed."""
        return day is not None and self.has(day) and day < self.now.date()

    def bucket(self, group_by: str | None, when: date | datetime) -> str:
        """Return the bucket of a day: itself, its week (the Monday), its month, or that of all."""
        day = when.date() if isinstance(when, datetime) else when
        match group_by:
            case "day":
                return day.isoformat()
            case "week":
                return (day - timedelta(days=day.weekday())).isoformat()
            case "month":
                return day.isoformat()[:7]
            case _:
                return ALL
