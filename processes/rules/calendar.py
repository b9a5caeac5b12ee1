"""Days: when a warehouse ships, and when a delivery place receives. Monday to Friday are working days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schema.records.inventory import Warehouse

__all__ = ["add_working_days", "cutoff_at", "delivery_date", "first_ship_date", "local_date", "next_working_day"]

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_WORKING = _DAYS[:5]
_DAY = timedelta(days=1)


def local_date(now: datetime, time_zone: str) -> date:
    """Return the business date at a place; ``time_zone`` is an IANA name."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def first_ship_date(warehouse: Warehouse, now: datetime) -> date:
    """Return the day on which goods ordered now leave: today before the cut-off of a working day, else the next one."""
    local = now.astimezone(ZoneInfo(warehouse.time_zone))
    today = local.date()
    missed = local.time() >= time.fromisoformat(warehouse.cutoff)
    return next_working_day(today + _DAY if missed else today)


def cutoff_at(warehouse: Warehouse | None, day: date) -> datetime:
    """Return until when goods must be released to leave on a day; where nobody knows, until the day is over."""
    if warehouse is None:
        return datetime.combine(day + _DAY, time(12), UTC)  # by then it is so in every time zone
    return datetime.combine(day, time.fromisoformat(warehouse.cutoff), ZoneInfo(warehouse.time_zone)).astimezone(UTC)


def next_working_day(day: date) -> date:
    """Return the day itself when it is a working day, else the next one."""
    while _DAYS[day.weekday()] not in _WORKING:
        day += _DAY
    return day


def add_working_days(day: date, count: int) -> date:
    """Return the working day that lies ``count`` working days after ``day``."""
    day = next_working_day(day)
    for _ in range(count):
        day = next_working_day(day + _DAY)
    return day


def delivery_date(ship_date: date, transit_days: int, delivery_days: tuple[str, ...]) -> date:
    """Return the first day on or after the transit on which the place receives.

    ``delivery_days`` are names MON to SUN; none that is known means every working day.
    """
    accepted = [name for name in delivery_days if name in _DAYS] or list(_WORKING)
    day = add_working_days(ship_date, transit_days)
    while _DAYS[day.weekday()] not in accepted:
        day += _DAY
    return day
