"""Facts: what events add up to per order, quote, question, incident, system and day, or hour of a workflow.

A fact is a frozen record under a key. It is folded from events alone, so it can be thrown away and made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

__all__ = [
    "Fact",
    "FactKind",
    "IncidentFact",
    "InvoiceFact",
    "Key",
    "LineFact",
    "OnboardingFact",
    "OrderFact",
    "QuestionFact",
    "QuoteFact",
    "ShipmentFact",
    "TallyFact",
    "TrafficFact",
    "days_of",
    "read_fact",
    "write_fact",
]


class FactKind(StrEnum):
    """What a fact is about."""

    ORDER = "ORDER"
    QUOTE = "QUOTE"
    QUESTION = "QUESTION"
    INCIDENT = "INCIDENT"
    TRAFFIC = "TRAFFIC"
    TALLY = "TALLY"
    ONBOARDING = "ONBOARDING"


Key = tuple[FactKind, str]


@dataclass(frozen=True, slots=True)
class LineFact:
    """A line of an order in the unit that it was ordered in."""

    ordered: Decimal
    requested: date | None = None
    allocated: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ShipmentFact:
    """A shipment of an order; ``lines`` in base units per line number.

    ``delivered_on`` is the day on which it arrived, in the offset in which its carrier told the time.
    """

    lines: Mapping[int, Decimal] = field(default_factory=dict)
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivered_on: date | None = None


@dataclass(frozen=True, slots=True)
class InvoiceFact:
    """An invoice of an order: when it was posted, and when the customer was told of it."""

    posted_at: datetime
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderFact:
    """How an order went.

    Attributes:
        received_at: None while only its shipments were told of: the order was submitted elsewhere.
        decided_at: when it was first accepted, held or rejected.
        released: base units per line number that warehouses were told to pick.
        held_s: seconds on hold in all; ``held_since`` while it is on hold.
        promised_first: the date of the first confirmation; later ones never replace it.
        defects: causes for which it counts as defective.
        returned: when goods came back and for which reason.
    """

    id: str
    account_id: str | None = None
    channel: str | None = None
    submitted_by: str | None = None
    received_at: datetime | None = None
    requested: date | None = None
    decided_at: datetime | None = None
    accepted_at: datetime | None = None
    completed_at: datetime | None = None
    ended_at: datetime | None = None
    held_since: datetime | None = None
    held_s: float = 0.0
    touches: int = 0
    promised_first: date | None = None
    promised_last: date | None = None
    is_mismatched: bool = False
    defects: tuple[str, ...] = ()
    returned: tuple[tuple[datetime, str], ...] = ()
    lines: Mapping[int, LineFact] = field(default_factory=dict)
    released: Mapping[int, Decimal] = field(default_factory=dict)
    shipments: Mapping[str, ShipmentFact] = field(default_factory=dict)
    invoices: Mapping[str, InvoiceFact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuoteFact:
    """How a quote went; ``waits_s`` are the times that its approvals took."""

    id: str
    account_id: str | None = None
    created_at: datetime | None = None
    sent_at: datetime | None = None
    converted_at: datetime | None = None
    accepted_at: datetime | None = None
    asked: Mapping[str, datetime] = field(default_factory=dict)
    waits_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionFact:
    """A task or a service case: who has to answer, and when a person first did. Withdrawn ones need no answer."""

    id: str
    queue: str
    opened_at: datetime
    answered_at: datetime | None = None
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class IncidentFact:
    """Something went wrong between systems; ``kind`` is CIRCUIT, DEAD_LETTER or DRIFT."""

    id: str
    system: str
    kind: str
    at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrafficFact:
    """How many messages of a system were recorded on a day."""

    system: str
    day: date
    messages: int = 0


@dataclass(frozen=True, slots=True)
class TallyFact:
    """How often a workflow kept its bound in an hour."""

    workflow: str
    hour: datetime
    good: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class OnboardingFact:
    """An onboarding; a person's decision makes it no clean case."""

    id: str
    submitted_at: datetime
    activated_at: datetime | None = None
    was_decided: bool = False


Fact = OrderFact | QuoteFact | QuestionFact | IncidentFact | TrafficFact | TallyFact | OnboardingFact

_ADAPTERS: Mapping[FactKind, TypeAdapter[Any]] = {
    FactKind.ORDER: TypeAdapter(OrderFact),
    FactKind.QUOTE: TypeAdapter(QuoteFact),
    FactKind.QUESTION: TypeAdapter(QuestionFact),
    FactKind.INCIDENT: TypeAdapter(IncidentFact),
    FactKind.TRAFFIC: TypeAdapter(TrafficFact),
    FactKind.TALLY: TypeAdapter(TallyFact),
    FactKind.ONBOARDING: TypeAdapter(OnboardingFact),
}


def read_fact(kind: FactKind, document: Any) -> Fact:
    """Return the fact that a document stands for."""
    found: Fact = _ADAPTERS[kind].validate_python(document)
    return found


def write_fact(kind: FactKind, fact: Fact) -> Any:
    """Return a fact as JSON values."""
    return _ADAPTERS[kind].dump_python(fact, mode="json", exclude_defaults=True)


def days_of(fact: Fact) -> tuple[date, date]:
    """Return the first and the last day that a fact says something about."""
    found = [*_days(fact)]
    return min(found, default=date.min), max(found, default=date.min)


def _days(fact: Fact) -> list[date]:
    match fact:
        case OrderFact():
            ends = (entry.delivered_at for entry in fact.shipments.values())
            times = (fact.received_at, fact.accepted_at, fact.completed_at, fact.ended_at, *ends)
            posted = [entry.posted_at for entry in fact.invoices.values()]
            dates = (fact.requested, fact.promised_first, *(line.requested for line in fact.lines.values()))
            return [*(at.date() for at in (*times, *posted) if at), *(day for day in dates if day)]
        case QuoteFact():
            times = (fact.created_at, fact.sent_at, fact.converted_at, fact.accepted_at)
            return [at.date() for at in times if at]
        case QuestionFact():
            return [fact.opened_at.date()]
        case IncidentFact():
            return [fact.at.date()]
        case TrafficFact():
            return [fact.day]
        case TallyFact():
            return [fact.hour.date()]
        case OnboardingFact():
            return [fact.submitted_at.date()]
