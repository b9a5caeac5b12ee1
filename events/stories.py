"""Which order an event is about, and which events are touches: a person had to change or unblock a document."""

from __future__ import annotations

from schema.enums import OrderChannel
from schema.events.envelope import Event

__all__ = ["SELF_SERVICE", "TOUCHING", "is_touch", "order_of"]

TOUCHING = frozenset(
    {
        "message.replayed",
        "order.cancelled",
        "order.change.accepted",
        "order.hold.released",
        "order.line.substituted",
        "order.rejected",
        "return.approved",
        "return.denied",
        "task.resolved",
    }
)
"""Events that change or unblock a document: touches when a person did it. Moving goods is none, and looking is none."""

SELF_SERVICE = frozenset({OrderChannel.PORTAL, OrderChannel.ECOM, OrderChannel.EDI})
"""Channels where the customer submits; what the submitter does later is self-service too."""

_ABOUT_ORDERS = frozenset({"order", "shipment", "invoice"})
"""Families of events whose partition is their order."""


def order_of(event: Event) -> str | None:
    """Return the order that an event is about, None when it is about none or does not say."""
    told = event.data.get("orderId")
    if isinstance(told, str):
        return told
    return event.partition_key if event.type.partition(".")[0] in _ABOUT_ORDERS else None


def is_touch(event: Event, customer: str | None) -> bool:
    """Return whether an event is a touch; what ``customer`` (None: nobody) did by itself is none."""
    return event.manual and event.type in TOUCHING and event.actor.startswith("user:") and event.actor != customer
