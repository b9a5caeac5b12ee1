"""The event envelope: CloudEvents 1.0 with partition, sequence, correlation and actor.

An event id is made from what caused it, so the same cause can be recorded twice without being told twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schema.enums import SourceSystem

__all__ = ["Event", "EventFilter", "EventPlace", "StoredEvent"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        id: unique with ``source``; deterministic for a cause (``or:{id}:accepted``, ``wms:{eventId}``).
        source: who says so as a URI path, for example ``/dist/orders``.
        type: name without tenant prefix and version, for example ``order.accepted``.
        subject: platform id of the entity.
        partition_key: events of one key keep their order (shipment and invoice events use the order id).
        correlation_id: root of the story: quote, order or onboarding id.
        account_id: account concerned, None for platform events; subscriptions filter by it.
        actor: ``system:<name>`` or ``user:<id>``.
        manual: True when a person did it.
        occurred_at: when it happened, aware UTC.
        data: JSON facts: ids, changed values, resulting status.
    """

    id: str
    source: str
    type: str
    subject: str
    partition_key: str
    correlation_id: str
    system: SourceSystem
    occurred_at: datetime
    data: Mapping[str, Any]
    account_id: str | None = None
    causation_id: str | None = None
    actor: str = "system:crossdock"
    manual: bool = False


@dataclass(frozen=True, slots=True, order=True)
class EventPlace:
    """Where an event stands in a history: by the time at which it happened, then as its partition and the log count."""

    at: datetime
    sequence: int
    position: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in the log. ``position`` grows in the order of visibility, ``sequence`` per partition."""

    event: Event
    position: int
    sequence: int
    recorded_at: datetime

    @property
    def place(self) -> EventPlace:
        """Where the event stands in a history."""
        return EventPlace(self.event.occurred_at, self.sequence, self.position)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; all conditions that are not None must hold. ``types`` entries may end in ``.*``."""

    types: tuple[str, ...] | None = None
    subject: str | None = None
    partition_key: str | None = None
    correlation_ids: tuple[str, ...] | None = None
    account_id: str | None = None
