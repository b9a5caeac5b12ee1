"""Whose turn it is when a system answers again: per account, in the order in which things were accepted.

A place holds up those behind it until it is given up, stands aside, or has been held for too long.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from systems.ports import Place

__all__ = ["HOLDS_UP_FOR", "STANDS_ASIDE_AFTER", "may_go", "place_order"]

HOLDS_UP_FOR = timedelta(hours=24)
"""As long as work is kept for a system; by then a person is asked about it, and others do not wait for the answer."""

STANDS_ASIDE_AFTER = 5
"""Attempts that may fail while the system does what others want of it.

It is then the request that the system cannot take, and not the system that is out: everything else of the account would
wait for a person.
"""


def place_order(place: Place) -> tuple[datetime, str]:
    """Return what places of a line are sorted by."""
    return place.since, place.process_id


def may_go(mine: Place, first: Place | None) -> bool:
    """Return whether it is the turn of a place, when ``first`` is the first that holds others up."""
    return mine.aside or first is None or place_order(mine) <= place_order(first)
