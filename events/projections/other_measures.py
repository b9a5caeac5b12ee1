"""Key figures over quotes, questions and incidents: how each of them counts."""

from __future__ import annotations

from datetime import date, timedelta

from events.projections.facts import IncidentFact, QuestionFact, QuoteFact, TrafficFact
from events.projections.gauges import Point, Rate, Share, Times
from events.projections.hours import business_time, hours_of, target_of
from events.projections.measure import Gauges, Measure, by_bucket
from events.projections.period import Period

__all__ = ["Conversion", "Incidents", "QuoteTime", "ResponseTime"]

INCIDENT_WINDOW = timedelta(minutes=15)
"""What goes wrong with a system within this time is one incident."""

CIRCUIT_MINIMUM = timedelta(minutes=5)
"""A circuit that was open for no longer is no incident."""


class Conversion(Measure):
    """Quotes that became orders, of those sent in the period."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._shares: Gauges[Share] = Gauges(Share)

    def add(self, fact: QuoteFact) -> None:
        """Take a quote."""
        if fact.sent_at is None or not self.period.has(fact.sent_at):
            return
        by_account = self.group_by == "account"
        bucket = (fact.account_id or "UNKNOWN") if by_account else self.period.bucket(self.group_by, fact.sent_at)
        self._shares.at(bucket).add(fact.converted_at is not None)

    def points(self) -> tuple[Point, ...]:
        """Return the shares."""
        return by_bucket(self._shares)


class QuoteTime(Measure):
    """From the making of a quote to the acceptance of its order; by ``stage`` also how long approvals took."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._typical: Gauges[Times] = Gauges(Times)
        self._slow: Gauges[Times] = Gauges(lambda: Times(0.9))

    def add(self, fact: QuoteFact) -> None:
        """Take a quote."""
        accepted, created = fact.accepted_at, fact.created_at
        is_order = accepted is not None and created is not None and self.period.has(accepted)
        if self.group_by != "stage":
            if is_order and accepted is not None and created is not None:
                self._typical.at(self.period.bucket(self.group_by, accepted)).add(accepted - created)
            return
        if is_order and accepted is not None and created is not None:
            self._take("ordered", (accepted - created).total_seconds())
        if self.period.has(created):
            for waited in fact.waits_s:
                self._take("approved", waited)

    def _take(self, stage: str, took_s: float) -> None:
        self._typical.at(f"{stage} p50").add(took_s)
        self._slow.at(f"{stage} p90").add(took_s)

    def points(self) -> tuple[Point, ...]:
        """Return the medians, and 90 % of the times by stage."""
        return by_bucket(self._typical, self._slow)


class ResponseTime(Measure):
    """Business hours until a person answered a task or case; by ``statistic`` also how many answers were in time."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._typical: Gauges[Times] = Gauges(Times)
        self._slow: Gauges[Times] = Gauges(lambda: Times(0.9))
        self._in_time: Gauges[Share] = Gauges(Share)

    def add(self, fact: QuestionFact) -> None:
        """Take a question; one that is open and over its target counts as not answered in time."""
        if not self.period.has(fact.opened_at) or fact.is_withdrawn:
            return
        until = fact.answered_at or self.period.now
        waited = business_time(hours_of(fact.queue), fact.opened_at, until)
        is_over = waited > target_of(fact.queue)
        if self.group_by == "statistic" and (fact.answered_at is not None or is_over):
            self._in_time.at("within target").add(not is_over)
        if fact.answered_at is None:
            return
        if self.group_by == "statistic":
            self._typical.at("p50").add(waited)
            self._slow.at("p90").add(waited)
            return
        bucket = fact.queue if self.group_by == "queue" else self.period.bucket(self.group_by, fact.opened_at)
        self._typical.at(bucket).add(waited)

    def points(self) -> tuple[Point, ...]:
        """Return the medians, and what else was asked for."""
        return by_bucket(self._typical, self._slow, self._in_time)


class Incidents(Measure):
    """Incidents for every 10,000 messages; what happens to a system within a quarter of an hour is one."""

    def __init__(self, period: Period, group_by: str | None) -> None:
        super().__init__(period, group_by)
        self._messages: dict[str, int] = {}
        self._incidents: list[IncidentFact] = []

    def add(self, fact: IncidentFact | TrafficFact) -> None:
        """Take an incident, or how many messages there were."""
        if isinstance(fact, TrafficFact):
            if self.period.has(fact.day):
                bucket = self._bucket(fact.system, fact.day)
                self._messages[bucket] = self._messages.get(bucket, 0) + fact.messages
        elif self.period.has(fact.at) and self._counts(fact):
            self._incidents.append(fact)

    def _counts(self, fact: IncidentFact) -> bool:
        return fact.kind != "CIRCUIT" or (fact.ended_at or self.period.now) - fact.at > CIRCUIT_MINIMUM

    def _bucket(self, system: str, day: date) -> str:
        return system if self.group_by == "system" else self.period.bucket(self.group_by, day)

    def points(self) -> tuple[Point, ...]:
        """Return the rates."""
        rates: Gauges[Rate] = Gauges(lambda: Rate("incidents/10,000 messages", per=10_000))
        for bucket, messages in self._messages.items():
            rates.at(bucket).add(0, messages)
        last: dict[str, IncidentFact] = {}
        for fact in sorted(self._incidents, key=lambda entry: entry.at):
            before = last.get(fact.system)
            if before is None or fact.at - before.at > INCIDENT_WINDOW:
                last[fact.system] = fact
                rates.at(self._bucket(fact.system, fact.at.date())).add(1, 0)
        return by_bucket(rates)
