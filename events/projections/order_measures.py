"""Key figures over orders: how each order counts."""

from __future__ import annotations

from datetime import date, timedelta

from events.projections.facts import OrderFact
from events.projections.gauges import Point, Rate, Share, Times
from events.projections.line_service import LineService, lines_of
from events.projections.measure import Gauges, Measure, by_bucket
from events.projections.period import Period

__all__ = ["CycleTime", "Defects", "OnTimeInFull", "Perfect", "Promises", "Touches", "Touchless"]

DAMAGE_WINDOW = timedelta(days=30)
DAMAGE_REASONS = frozenset({"DAMAGED", "WRONG_ITEM"})
"""Goods that come back within the window for such a reason make the order imperfect."""


class CycleTime(Measure):
    """From the receipt of an order to its last delivery; by ``stage`` also to acceptance and shipment, and on hold."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._typical: Gauges[Times] = Gauges(Times)
        self._slow: Gauges[Times] = Gauges(lambda: Times(0.9))

    def add(self, fact: OrderFact) -> None:
        """Take an order that is complete."""
        delivered = max((entry.delivered_at for entry in fact.shipments.values() if entry.delivered_at), default=None)
        if fact.received_at is None or fact.completed_at is None or delivered is None or not self.period.has(delivered):
            return
        if self.group_by != "stage":
            self._typical.at(self.order_bucket(fact, delivered)).add(delivered - fact.received_at)
            return
        shipped = max((entry.shipped_at for entry in fact.shipments.values() if entry.shipped_at), default=None)
        for stage, at in (("accepted", fact.accepted_at), ("shipped", shipped), ("delivered", delivered)):
            if at is not None:
                self._take(stage, at - fact.received_at)
        if fact.held_s:
            self._take("held", timedelta(seconds=fact.held_s))

    def _take(self, stage: str, took: timedelta) -> None:
        self._typical.at(f"{stage} p50").add(took)
        self._slow.at(f"{stage} p90").add(took)

    def points(self) -> tuple[Point, ...]:
        """Return the medians, and 90 % of the times by stage."""
        return by_bucket(self._typical, self._slow)


class Touchless(Measure):
    """Completed orders that no person had to touch."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._shares: Gauges[Share] = Gauges(Share)

    def add(self, fact: OrderFact) -> None:
        """Take an order."""
        if fact.completed_at is not None and fact.received_at is not None and self.period.has(fact.completed_at):
            self._shares.at(self.order_bucket(fact, fact.completed_at)).add(fact.touches == 0)

    def points(self) -> tuple[Point, ...]:
        """Return the shares."""
        return by_bucket(self._shares)


class Touches(Measure):
    """How often people touched an order that was received in the period."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._rates: Gauges[Rate] = Gauges(lambda: Rate("touches/order"))

    def add(self, fact: OrderFact) -> None:
        """Take an order."""
        if fact.received_at is not None and self.period.has(fact.received_at):
            self._rates.at(self.order_bucket(fact, fact.received_at)).add(fact.touches)

    def points(self) -> tuple[Point, ...]:
        """Return the rates."""
        return by_bucket(self._rates)


class Defects(Measure):
    """Orders received in the period that turned out defective; by ``cause`` how many for each cause."""

    CAUSES = ("INVOICE_MISMATCH", "PRICE_OVERRIDE", "REJECTED", "RETURN")

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._shares: Gauges[Share] = Gauges(Share)

    def add(self, fact: OrderFact) -> None:
        """Take an order."""
        if fact.received_at is None or not self.period.has(fact.received_at):
            return
        if self.group_by != "cause":
            self._shares.at(self.order_bucket(fact, fact.received_at)).add(bool(fact.defects))
            return
        for cause in self.CAUSES:
            self._shares.at(cause).add(cause in fact.defects)

    def points(self) -> tuple[Point, ...]:
        """Return the shares."""
        return by_bucket(self._shares)


class Perfect(Measure):
    """Completed orders that were on time, in full, undamaged and rightly invoiced; by ``factor`` each of these."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._shares: Gauges[Share] = Gauges(Share)

    def add(self, fact: OrderFact) -> None:
        """Take an order."""
        if fact.received_at is None or fact.completed_at is None or not self.period.has(fact.completed_at):
            return
        lines = [*lines_of(fact)]
        factors = {
            "on_time": all(line.is_on_time for line in lines),
            "in_full": all(line.is_in_full for line in lines),
            "undamaged": not _is_damaged(fact),
            "invoice_matched": not fact.is_mismatched,
        }
        if self.group_by != "factor":
            self._shares.at(self.order_bucket(fact, fact.completed_at)).add(all(factors.values()))
            return
        for factor, holds in factors.items():
            self._shares.at(factor).add(holds)

    def points(self) -> tuple[Point, ...]:
        """Return the shares."""
        return by_bucket(self._shares)


class OnTimeInFull(Measure):
    """Lines that were delivered in full by the requested date, of those whose date is over."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._shares: Gauges[Share] = Gauges(Share)

    def add(self, fact: OrderFact) -> None:
        """Take an order; one that was rejected or cancelled promised nothing."""
        if fact.received_at is None or fact.ended_at is not None:
            return
        for line in lines_of(fact):
            if line.requested is not None and self.period.is_due(line.requested):
                self._line(fact, line, line.requested)

    def _line(self, order: OrderFact, line: LineService, requested: date) -> None:
        if self.group_by != "factor":
            self._shares.at(self.order_bucket(order, requested)).add(line.is_on_time and line.is_in_full)
            return
        self._shares.at("on_time").add(line.is_on_time)
        self._shares.at("in_full").add(line.is_in_full)

    def points(self) -> tuple[Point, ...]:
        """Return the shares."""
        return by_bucket(self._shares)


class Promises(Measure):
    """Orders that were delivered in full by the first date that was promised, of those whose date is over."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._shares: Gauges[Share] = Gauges(Share)

    def add(self, fact: OrderFact) -> None:
        """Take an order."""
        promised = fact.promised_first
        if fact.received_at is None or fact.ended_at is not None or promised is None:
            return
        if not self.period.is_due(promised):
            return
        kept = all(line.is_in_full and line.is_by(promised) for line in lines_of(fact))
        if self.group_by != "factor":
            self._shares.at(self.order_bucket(fact, promised)).add(kept)
            return
        self._shares.at("kept").add(kept)
        self._shares.at("promised_again").add(fact.promised_last != promised)

    def points(self) -> tuple[Point, ...]:
        """Return the shares."""
        return by_bucket(self._shares)


def _is_damaged(order: OrderFact) -> bool:
    arrived = max((entry.delivered_at for entry in order.shipments.values() if entry.delivered_at), default=None)
    return arrived is not None and any(
        reason in DAMAGE_REASONS and at - arrived <= DAMAGE_WINDOW for at, reason in order.returned
    )
