"""Subscriptions of clients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.section import Duration, Section

__all__ = ["SubscriptionSettings"]


class SubscriptionSettings(Section):
    """Subscriptions of clients."""

    max_per_connection: int = Field(default=100, ge=1)
    """Operations under way on one connection: a WebSocket, or an event stream that carries several."""
    max_per_client: int = Field(default=1000, ge=1)
    """Subscriptions under way of one client: a subject, or an address while the caller is anonymous."""
    max_total: int = Field(default=10_000, ge=1)
    """Subscriptions under way in this process."""
    init_timeout: Duration = 5.0
    """Time in which a WebSocket must send ``connection_init``, and a reserved event stream must be opened."""
    heartbeat: Duration = 12.0
    """Pause after which an idle stream gets a sign of life: a comment, an empty part or a ping."""
    max_waiting_events: int = Field(default=64, ge=1)
    """Events of one subscription that wait for a client that does not read; then its source is not read on."""
    slow_client_timeout: Duration = 10.0
    """How long a client may leave that many waiting. Then its subscription ends with SLOW_CLIENT; a connection on which
    nothing can be written for three times as long is cut."""
    resume_for: Duration = 60.0
    """How long the gateway tries to take up a resumable stream that broke, before it ends the subscription."""
    share_subgraph_streams: Literal["none", "resumable", "all"] = "resumable"
    """Which identical streams of the same principal come from a subgraph only once: none; those of ``@resumable``
    fields, which begin at a cursor or now, so that joining later misses nothing; or all. Choose all when no
    subscription of the graph begins with a state of things that one who joins later would miss."""
    public_fields: tuple[str, ...] = ()
    """Fields, as ``Subscription.<field>``, whose events are the same for everybody: the subgraph is not told who asks,
    and all principals share one stream. Fields of other subgraphs in the answer are still asked for by each."""
    shared_event_streams: bool = True
    """Accept event streams that carry several operations (graphql-sse, single connection mode). In front of several
    workers or instances the requests of one client have to reach the same one."""
