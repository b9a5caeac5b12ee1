"""Every key figure: which facts it wants, what measures it, and by what it can be grouped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from events.projections.facts import Fact, FactKind
from events.projections.gauges import Point
from events.projections.measure import Measure
from events.projections.order_measures import CycleTime, Defects, OnTimeInFull, Perfect, Promises, Touches, Touchless
from events.projections.other_measures import Conversion, Incidents, QuoteTime, ResponseTime
from events.projections.period import Period
from events.projections.service_levels import ServiceLevels
from schema.enums import KpiName

__all__ = ["FIGURES", "Figure", "measure"]

_TIME = ("day", "week", "month")
_ORDER = (*_TIME, "channel", "account")


@dataclass(frozen=True, slots=True)
class Figure:
    """How a key figure is made: of which facts, by what measure, and by what it can be grouped."""

    kinds: tuple[FactKind, ...]
    make: Callable[[Period, str | None], Measure]
    groups: tuple[str, ...]


_K = FactKind
FIGURES: Mapping[KpiName, Figure] = {
    KpiName.ORDER_CYCLE_TIME: Figure((_K.ORDER,), CycleTime, (*_ORDER, "stage")),
    KpiName.TOUCHLESS_RATE: Figure((_K.ORDER,), Touchless, _ORDER),
    KpiName.MANUAL_TOUCHES: Figure((_K.ORDER,), Touches, _ORDER),
    KpiName.ORDER_DEFECT_RATE: Figure((_K.ORDER,), Defects, (*_ORDER, "cause")),
    KpiName.PERFECT_ORDER: Figure((_K.ORDER,), Perfect, (*_ORDER, "factor")),
    KpiName.OTIF: Figure((_K.ORDER,), OnTimeInFull, (*_ORDER, "factor")),
    KpiName.PROMISE_ACCURACY: Figure((_K.ORDER,), Promises, (*_ORDER, "factor")),
    KpiName.QUOTE_CONVERSION: Figure((_K.QUOTE,), Conversion, (*_TIME, "account")),
    KpiName.QUOTE_TO_ORDER_TIME: Figure((_K.QUOTE,), QuoteTime, (*_TIME, "stage")),
    KpiName.SERVICE_RESPONSE_TIME: Figure((_K.QUESTION,), ResponseTime, (*_TIME, "queue", "statistic")),
    KpiName.INTEGRATION_INCIDENTS: Figure((_K.INCIDENT, _K.TRAFFIC), Incidents, (*_TIME, "system")),
    KpiName.SLO_COMPLIANCE: Figure((_K.ORDER, _K.TALLY, _K.ONBOARDING), ServiceLevels, (*_TIME, "workflow", "burn")),
}
"""Every key figure."""


def measure(name: KpiName, period: Period, group_by: str | None, facts: Iterable[Fact]) -> tuple[Point, ...]:
    """Return a key figure over facts that are all there."""
    taken = FIGURES[name].make(period, group_by)
    for fact in facts:
        taken.add(fact)
    return taken.points()
