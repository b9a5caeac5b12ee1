"""The limits of one way to a subgraph."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TransportLimits"]


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """What a transport bounds.

    Attributes:
        timeout_s: from the start of a request to the end of its answer.
        connect_timeout_s: until a connection, or the start of a subscription, is accepted.
        max_connections: requests in flight; more wait for a free connection until the timeout.
        max_body_bytes: largest answer, and largest event of a subscription.
        max_waiting_events: events of a subscription that wait for the gateway; then the subgraph is not read on.
    """

    timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    max_connections: int = 256
    max_body_bytes: int = 16 * 1024 * 1024
    max_waiting_events: int = 64
