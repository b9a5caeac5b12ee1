"""How quotes, questions, incidents and onboardings went, and how much systems told, folded from their events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from events.projections.facts import IncidentFact, OnboardingFact, QuestionFact, QuoteFact
from schema.events.envelope import Event

__all__ = [
    "CASE_QUEUE",
    "fold_incident",
    "fold_onboarding",
    "fold_question",
    "fold_quote",
    "incident_id",
    "question_id",
    "quote_id",
]

CASE_QUEUE = "SERVICE"
"""Queue of service cases."""

_INCIDENTS = {
    "system.circuit.opened": "CIRCUIT",
    "system.circuit.closed": "CIRCUIT",
    "message.deadlettered": "DEAD_LETTER",
    "inventory.drift.detected": "DRIFT",
}


def quote_id(event: Event) -> str | None:
    """Return the quote that an event says something about, None without one."""
    if event.type.startswith("quote."):
        return str(event.data.get("quoteId") or event.subject)
    is_order_of_quote = event.type == "order.accepted" and event.correlation_id != event.partition_key
    return event.correlation_id if is_order_of_quote else None


def fold_quote(quote: QuoteFact, event: Event) -> QuoteFact:
    """Return what is known of a quote after an event."""
    at, level = event.occurred_at, str(event.data.get("level") or "-")
    quote = replace(quote, account_id=quote.account_id or event.account_id)
    match event.type:
        case "quote.created":
            return replace(quote, created_at=quote.created_at or at)
        case "quote.sent":
            return replace(quote, sent_at=quote.sent_at or at)
        case "quote.converted":
            return replace(quote, converted_at=quote.converted_at or at)
        case "quote.reopened":
            return replace(quote, converted_at=None)
        case "order.accepted":
            return replace(quote, converted_at=quote.converted_at or at, accepted_at=quote.accepted_at or at)
        case "quote.approval.requested":
            return replace(quote, asked={**quote.asked, level: at})
        case "quote.approval.decided" if level in quote.asked:
            wait = (at - quote.asked[level]).total_seconds()
            asked = {name: since for name, since in quote.asked.items() if name != level}
            return replace(quote, asked=asked, waits_s=(*quote.waits_s, wait))
        case _:
            return quote


def question_id(event: Event) -> str | None:
    """Return the task or case that an event opens or answers, None when it does neither."""
    family, _, what = event.type.partition(".")
    if family == "task" and what in ("opened", "claimed", "resolved"):
        return str(event.data.get("taskId") or event.subject)
    if family == "case" and what in ("opened", "answered", "resolved"):
        return str(event.data.get("caseId") or event.subject)
    return None


def fold_question(known: QuestionFact | None, event: Event, question: str) -> QuestionFact | None:
    """Return what is known of a task or case after an event; one whose opening was never told stays unknown."""
    family, _, what = event.type.partition(".")
    if known is None:
        if what != "opened":
            return None
        queue = CASE_QUEUE if family == "case" else str(event.data.get("queue"))
        return QuestionFact(question, queue, event.occurred_at)
    if what == "opened" or known.answered_at is not None or known.is_withdrawn:
        return known
    if family == "task" and not event.manual:
        return replace(known, is_withdrawn=what == "resolved")
    return replace(known, answered_at=event.occurred_at)


def incident_id(event: Event) -> str | None:
    """Return the incident that an event is about, None when nothing went wrong."""
    kind = _INCIDENTS.get(event.type)
    if kind is None:
        return None
    return f"{_system(event)}@{_opened_at(event).isoformat()}" if kind == "CIRCUIT" else event.id


def fold_incident(known: IncidentFact | None, event: Event, incident: str) -> IncidentFact:
    """Return what is known of an incident after an event."""
    at = _opened_at(event)
    found = known or IncidentFact(incident, _system(event), _INCIDENTS[event.type], at)
    return replace(found, ended_at=event.occurred_at) if event.type == "system.circuit.closed" else found


def fold_onboarding(known: OnboardingFact | None, event: Event) -> OnboardingFact | None:
    """Return what is known of an onboarding after an event."""
    if known is None:
        is_begin = event.type == "account.onboarding.submitted"
        return OnboardingFact(event.correlation_id, event.occurred_at) if is_begin else None
    match event.type:
        case "account.onboarding.decided" if event.manual:
            return replace(known, was_decided=True)
        case "account.activated":
            return replace(known, activated_at=known.activated_at or event.occurred_at)
        case _:
            return known


def _system(event: Event) -> str:
    told = event.data.get("system") or event.data.get("source")
    return str(told or event.system.value)


def _opened_at(event: Event) -> datetime:
    told = event.data.get("openedAt")
    return datetime.fromisoformat(told) if isinstance(told, str) else event.occurred_at
