"""One event into the facts that it says something about: pure, so that the same log always gives the same facts."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from events.projections import others
from events.projections.facts import (
    Fact,
    FactKind,
    IncidentFact,
    Key,
    OnboardingFact,
    OrderFact,
    QuestionFact,
    QuoteFact,
    TallyFact,
    TrafficFact,
)
from events.projections.orders import fold_order
from events.stories import order_of
from schema.enums import SourceSystem
from schema.events.envelope import Event, StoredEvent

__all__ = [
    "ACCOUNTS",
    "LATE_MIRRORS",
    "LATE_STATUSES",
    "MILESTONES",
    "MIRRORS",
    "PRICES",
    "STATUSES",
    "STOCK",
    "apply",
    "keys_of",
]

MILESTONES, STOCK = "MILESTONE_PUBLISHED", "STOCK_PUBLISHED"
STATUSES, LATE_STATUSES = "STATUS_PUBLISHED_5S", "STATUS_PUBLISHED_60S"
MIRRORS, LATE_MIRRORS = "CRM_MIRRORED_5S", "CRM_MIRRORED_60S"
ACCOUNTS = "ACCOUNT_CHANGED"
PRICES = {
    "PRICE_AND_PROMISE_800MS": "quick",
    "PRICE_AND_PROMISE_2S": "inTime",
    "PRICE_AND_PROMISE_ANSWERED": "answered",
}
"""Workflows of which a report counts answers, and what it calls the good ones."""

_MEASURED = "service.measured"


@dataclass(frozen=True, slots=True)
class _Spread:
    """A workflow that ends when its event is in the log, and began at the moment that the event says."""

    workflow: str
    types: tuple[str, ...]
    since: str
    bound: timedelta


_SPREADS = (
    _Spread(MILESTONES, ("shipment.",), "receivedAt", timedelta(seconds=60)),
    _Spread(STOCK, ("inventory.position.changed",), "receivedAt", timedelta(seconds=60)),
    _Spread(STATUSES, ("order.fulfillment.changed",), "receivedAt", timedelta(seconds=5)),
    _Spread(LATE_STATUSES, ("order.fulfillment.changed",), "receivedAt", timedelta(seconds=60)),
    _Spread(MIRRORS, ("crm.order.mirrored",), "toldAt", timedelta(seconds=5)),
    _Spread(LATE_MIRRORS, ("crm.order.mirrored",), "toldAt", timedelta(seconds=60)),
    _Spread(ACCOUNTS, ("account.changed",), "askedAt", timedelta(seconds=60)),
)
"""News of shipments, stock and orders are with those who follow them, completions in the CRM, and changes in every
system, within a time."""

_ONBOARDING = ("account.onboarding.", "account.activated")


def keys_of(stored: StoredEvent) -> tuple[Key, ...]:
    """Return the keys of every fact that an event may change."""
    event = stored.event
    named = (
        (FactKind.ORDER, order_of(event)),
        (FactKind.QUOTE, others.quote_id(event)),
        (FactKind.QUESTION, others.question_id(event)),
        (FactKind.INCIDENT, others.incident_id(event)),
        (FactKind.ONBOARDING, event.correlation_id if event.type.startswith(_ONBOARDING) else None),
        (FactKind.TRAFFIC, _traffic_id(event)),
        *((FactKind.TALLY, f"{workflow}@{_hour(stored).isoformat()}") for workflow in _workflows(event)),
    )
    return tuple((kind, identifier) for kind, identifier in named if identifier is not None)


def apply(facts: MutableMapping[Key, Fact], stored: StoredEvent) -> None:
    """Fold an event into facts; those of its keys that are not there were never told of."""
    for key in keys_of(stored):
        changed = _folded(key, facts.get(key), stored)
        if changed is not None:
            facts[key] = changed


def _folded(key: Key, known: Fact | None, stored: StoredEvent) -> Fact | None:
    kind, identifier = key
    event = stored.event
    match kind:
        case FactKind.ORDER:
            return fold_order(cast("OrderFact", known or OrderFact(identifier)), event)
        case FactKind.QUOTE:
            return others.fold_quote(cast("QuoteFact", known or QuoteFact(identifier)), event)
        case FactKind.QUESTION:
            return others.fold_question(cast("QuestionFact | None", known), event, identifier)
        case FactKind.INCIDENT:
            return others.fold_incident(cast("IncidentFact | None", known), event, identifier)
        case FactKind.ONBOARDING:
            return others.fold_onboarding(cast("OnboardingFact | None", known), event)
        case FactKind.TRAFFIC:
            traffic = cast("TrafficFact", known or TrafficFact(event.system.value, event.occurred_at.date()))
            return replace(traffic, messages=traffic.messages + 1)
        case FactKind.TALLY:
            return _tallied(identifier.partition("@")[0], cast("TallyFact | None", known), stored)


def _traffic_id(event: Event) -> str | None:
    """Return the counter of a message that another system sent or answered, None for what the platform tells itself."""
    if event.system is SourceSystem.PLATFORM:
        return None
    return f"{event.system.value}@{event.occurred_at.date().isoformat()}"


def _tallied(workflow: str, known: TallyFact | None, stored: StoredEvent) -> TallyFact:
    tally = known or TallyFact(workflow, _hour(stored))
    if stored.event.type == _MEASURED:
        told = stored.event.data
        return replace(tally, good=tally.good + int(told[PRICES[workflow]]), total=tally.total + int(told["total"]))
    spread = next(entry for entry in _spreads(stored.event) if entry.workflow == workflow)
    is_good = stored.recorded_at - datetime.fromisoformat(stored.event.data[spread.since]) <= spread.bound
    return replace(tally, good=tally.good + is_good, total=tally.total + 1)


def _workflows(event: Event) -> tuple[str, ...]:
    """Return the workflows that an event counts in."""
    return tuple(PRICES) if event.type == _MEASURED else tuple(spread.workflow for spread in _spreads(event))


def _spreads(event: Event) -> tuple[_Spread, ...]:
    """Return the workflows that an event ends; what was brought in from elsewhere does not say when it began."""
    return tuple(
        spread
        for spread in _SPREADS
        if event.type.startswith(spread.types) and isinstance(event.data.get(spread.since), str)
    )


def _hour(stored: StoredEvent) -> datetime:
    return stored.recorded_at.replace(minute=0, second=0, microsecond=0)
