"""What systems tell us by themselves, in canonical words: read from webhooks, consumed by the processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schema.enums import CaseStatus, QuoteStatus, ReturnStatus, ShipmentStatus, SourceSystem
from schema.records.inventory import StockPosition
from schema.records.onboarding import Applicant
from schema.records.orders import Milestone, ReturnLine
from schema.records.values import Address

__all__ = [
    "AccountNews",
    "CaseNews",
    "OnboardingNews",
    "QuoteNews",
    "ReturnNews",
    "ShipmentNews",
    "StockNews",
    "UnreadableNews",
    "read_time",
]


class UnreadableNews(Exception):
    """A webhook of a type that nobody knows, or without what its type promises."""


@dataclass(frozen=True, slots=True)
class ShipmentNews:
    """A shipment has reached a milestone.

    Attributes:
        event_id: the sender's id of this news; the same news comes with the same id.
        sequence: grows with each news of the shipment from this sender.
        status: where the shipment stands for its sender after it.
        lines: line numbers with what the shipment carries of them, in base units; empty when the sender does not say.
        sscc: codes of its logistic units, empty until packed.
    """

    source: SourceSystem
    event_id: str
    sequence: int
    shipment_number: str
    order_id: str
    account_id: str
    milestone: Milestone
    status: ShipmentStatus
    warehouse_code: str | None = None
    lines: tuple[tuple[int, str], ...] = ()
    sscc: tuple[str, ...] = ()
    carrier: str | None = None
    tracking_number: str | None = None
    estimated_delivery: datetime | None = None


@dataclass(frozen=True, slots=True)
class StockNews:
    """A stock position has changed; ``position.sequence`` tells whether it is newer than what is known."""

    source: SourceSystem
    event_id: str
    position: StockPosition


@dataclass(frozen=True, slots=True)
class ReturnNews:
    """A return has arrived or is inspected; ``lines`` are what came, in base units, and what becomes of it."""

    source: SourceSystem
    event_id: str
    return_id: str
    status: ReturnStatus
    at: datetime
    warehouse_code: str
    lines: tuple[ReturnLine, ...]


@dataclass(frozen=True, slots=True)
class AccountNews:
    """An account has changed in the CRM.

    Attributes:
        version: that of the account after it.
        changed: what has changed of what is the CRM's own, in the words of the graph.
        billing: the address as it is there now, when that has changed.
        is_echo: we have made the change ourselves.
    """

    event_id: str
    account_id: str
    version: int
    changed: tuple[str, ...]
    billing: Address | None
    at: datetime
    is_echo: bool


@dataclass(frozen=True, slots=True)
class CaseNews:
    """A service case was opened or has changed.

    Attributes:
        status, priority: as they are after it.
        is_ours: we have opened the case.
    """

    event_id: str
    case_id: str
    number: str
    account_id: str
    order_id: str | None
    status: CaseStatus
    priority: str
    opened_at: datetime
    first_response_at: datetime | None
    resolved_at: datetime | None
    is_ours: bool


@dataclass(frozen=True, slots=True)
class QuoteNews:
    """A person has set the status of a quote; ``status`` None says that nobody has, or that it is our own mirror."""

    event_id: str
    quote_id: str
    status: QuoteStatus | None
    at: datetime


@dataclass(frozen=True, slots=True)
class OnboardingNews:
    """Somebody wants a prospect of the CRM to become a customer."""

    event_id: str
    applicant: Applicant
    at: datetime


def read_time(payload: Mapping[str, Any], name: str) -> datetime:
    """Return a time of a payload.

    Raises:
        UnreadableNews: it is missing or is no time with a zone.
    """
    try:
        moment = datetime.fromisoformat(payload[name])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableNews(f"{name} is no time") from error
    if moment.tzinfo is None:
        raise UnreadableNews(f"{name} has no time zone")
    return moment
