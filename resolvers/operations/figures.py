"""Key figures for the distributor's own people, over facts that are projected from the event log.

Bad input is told with what would do: an unknown grouping, days in the wrong order, more days or buckets than one answer
holds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from typing import Protocol

from events.projections.facts import Fact, FactKind
from events.projections.figures import FIGURES
from events.projections.gauges import Point
from events.projections.measure import MAX_BUCKETS, TooManyBuckets
from events.projections.period import Period
from schema.enums import KpiName
from schema.graphql.errors import BadUserInput

__all__ = ["MAX_DAYS", "FactSource", "read_figure"]

MAX_DAYS = 1_100
"""Days of one answer: three years, which is as long as anybody compares."""

MAX_FACTS = 500_000
"""Facts that one answer reads; a figure over more is asked for in parts."""


class FactSource(Protocol):
    """Where facts come from."""

    def facts(self, kinds: Iterable[FactKind], begin: date, end: date) -> AsyncIterator[Fact]:
        """Yield facts of these kinds that may say something about the days from ``begin`` to ``end``."""
        ...


async def read_figure(
    source: FactSource, name: KpiName, begin: date, end: date, group_by: str | None, now: datetime
) -> tuple[Point, ...]:
    """Return a key figure over days, both included; buckets without anything to measure are absent.

    Raises:
        BadUserInput: the days or the grouping cannot be answered.
    """
    figure = FIGURES[name]
    if group_by is not None and group_by not in figure.groups:
        raise BadUserInput(f"groupBy: {name} is not grouped by {group_by!r}: use one of {', '.join(figure.groups)}")
    if end < begin:
        raise BadUserInput(f"to: {end} is before {begin}: give the earlier day as from")
    if (end - begin).days >= MAX_DAYS:
        raise BadUserInput(f"to: the period has more than {MAX_DAYS} days: ask for a shorter one")
    measure = figure.make(Period(begin, end, now), group_by)
    count = 0
    try:
        async for fact in source.facts(figure.kinds, begin, end):
            count += 1
            if count > MAX_FACTS:
                raise BadUserInput(f"to: the period has more than {MAX_FACTS} facts: ask for a shorter one")
            measure.add(fact)
        return measure.points()
    except TooManyBuckets:
        said = f"groupBy: {group_by!r} makes more than {MAX_BUCKETS} buckets: ask for a shorter period"
        raise BadUserInput(said) from None
