"""Service levels of workflows: which share kept its bound, and how fast the error budget burns.

The budget of a workflow is the share that may miss its bound over the period that is asked for (28 days as a rule). It
burns too fast when the last hour took 2 % of it, which pages somebody, or the last six took 5 %, which makes a ticket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from events.projections.facts import OnboardingFact, OrderFact, TallyFact
from events.projections.fold import (
    ACCOUNTS,
    LATE_MIRRORS,
    LATE_STATUSES,
    MILESTONES,
    MIRRORS,
    PRICES,
    STATUSES,
    STOCK,
)
from events.projections.gauges import Point, Share
from events.projections.measure import Measure
from events.projections.period import ALL, Period

__all__ = ["OBJECTIVES", "ServiceLevels"]

DECISION, DECIDED, KEPT = "ORDER_DECISION", "ORDER_DECIDED", "ORDER_KEPT"
INVOICES, ONBOARDINGS = "INVOICE_PUBLISHED", "ONBOARDING"
DECISION_BOUND, DECIDED_BOUND = timedelta(seconds=2.5), timedelta(minutes=15)
LOST_AFTER = timedelta(hours=24)
"""An order that is neither decided nor held by then, as long as work is kept for a system that is out, is lost."""
INVOICE_BOUND, ONBOARDING_BOUND = timedelta(minutes=15), timedelta(minutes=10)

OBJECTIVES = {
    DECISION: Decimal("0.95"),
    DECIDED: Decimal("0.995"),
    KEPT: Decimal(1),
    STATUSES: Decimal("0.95"),
    LATE_STATUSES: Decimal("0.99"),
    MIRRORS: Decimal("0.95"),
    LATE_MIRRORS: Decimal("0.99"),
    ACCOUNTS: Decimal("0.95"),
    **dict(zip(PRICES, (Decimal("0.95"), Decimal("0.99"), Decimal("0.999")), strict=True)),
    INVOICES: Decimal("0.95"),
    ONBOARDINGS: Decimal("0.90"),
    MILESTONES: Decimal("0.95"),
    STOCK: Decimal("0.99"),
}
"""Share of each workflow that has to keep its bound."""

_PLACES = Decimal("0.001")
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class _Window:
    """How much of the budget a window may take, in per cent, and what follows when it takes more."""

    hours: int
    most: int
    alarm: str


_WINDOWS = (_Window(1, 2, "PAGE"), _Window(6, 5, "TICKET"))


@dataclass(slots=True)
class _Level:
    whole: Share = field(default_factory=Share)
    missed: dict[int, int] = field(default_factory=lambda: {window.hours: 0 for window in _WINDOWS})


class ServiceLevels(Measure):
    """Takes facts and gives the share of each workflow that kept its bound, or how its budget burns."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._levels: dict[str, _Level] = {}
        self._end = min(period.now, datetime.combine(period.end, time.max, UTC))

    def add(self, fact: OrderFact | TallyFact | OnboardingFact) -> None:
        """Take a fact."""
        match fact:
            case OrderFact():
                self._order(fact)
            case TallyFact():
                self._count(fact.workflow, fact.hour, fact.good, fact.total)
            case OnboardingFact():
                if not fact.was_decided:
                    self._span(ONBOARDINGS, fact.submitted_at, fact.activated_at, ONBOARDING_BOUND)

    def points(self) -> tuple[Point, ...]:
        """Return the shares, or the burn per workflow and window."""
        if self.group_by == "burn":
            return tuple(point for name in sorted(self._levels) for point in self._burn(name, self._levels[name]))
        return tuple(point for name in sorted(self._levels) for point in self._levels[name].whole.points(name))

    def _order(self, order: OrderFact) -> None:
        if order.received_at is not None:
            self._span(DECISION, order.received_at, order.decided_at, DECISION_BOUND)
            self._span(DECIDED, order.received_at, order.decided_at, DECIDED_BOUND)
            if order.decided_at is not None:
                self._count(KEPT, order.received_at, 1, 1)
            elif self.period.now - order.received_at > LOST_AFTER:
                self._count(KEPT, order.received_at + LOST_AFTER, 0, 1)
        for invoice in order.invoices.values():
            if invoice.told_at is not None:
                self._span(INVOICES, invoice.posted_at, invoice.told_at, INVOICE_BOUND)

    def _span(self, workflow: str, since: datetime, until: datetime | None, bound: timedelta) -> None:
        """Count a span; one that goes on counts from the moment at which it missed its bound."""
        if until is not None or self.period.now - since > bound:
            self._count(workflow, since, int(until is not None and until - since <= bound), 1)

    def _count(self, workflow: str, at: datetime, good: int, total: int) -> None:
        if not self.period.has(at):
            return
        level = self._levels.setdefault(self._name(workflow, at), _Level())
        level.whole.add(good, total)
        for window in _WINDOWS:
            if self._end - timedelta(hours=window.hours) <= at <= self._end:
                level.missed[window.hours] += total - good

    def _name(self, workflow: str, at: datetime) -> str:
        if self.group_by in ("workflow", "burn"):
            return workflow
        return ALL if self.group_by is None else self.period.bucket(self.group_by, at)

    def _burn(self, workflow: str, level: _Level) -> Iterator[Point]:
        budget = (1 - OBJECTIVES[workflow]) * level.whole.total
        for window in _WINDOWS:
            missed = level.missed[window.hours]
            share = missed / budget if budget else Decimal(min(missed, 1))  # nothing may be missed: one is all of it
            burned = (_HUNDRED * share).quantize(_PLACES)
            state = window.alarm if burned >= window.most else "OK"
            bucket = f"{workflow} {window.hours}h {state}"
            yield Point(bucket, burned, "% of the error budget", Decimal(missed), budget)
