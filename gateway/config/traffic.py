"""Requests to subgraphs."""

from __future__ import annotations

from pydantic import Field

from gateway.config.headers import HeaderName
from gateway.config.section import Duration, Section

__all__ = ["CircuitSettings", "RetrySettings", "TrafficSettings"]


class RetrySettings(Section):
    """Requests that are sent again when a subgraph cannot be reached or says 429, 502, 503 or 504.

    Mutations only with a key, see ``idempotency.retry``.
    """

    max_retries: int = Field(default=1, ge=0, le=10)
    """Further attempts after the first; all share the time of one answer."""
    base_delay: Duration = 0.05
    """Bound of the random pause before the second attempt; each further one doubles it."""
    max_delay: Duration = 1.0
    """Longest pause, and longest ``Retry-After`` that is waited for."""
    budget: float = Field(default=0.1, ge=0, le=1)
    """Retries to one subgraph as a share of the requests to it, in the long run."""


class CircuitSettings(Section):
    """Circuit breaker of each subgraph."""

    enabled: bool = True
    """Leave a subgraph alone while most requests to it fail."""
    failure_share: float = Field(default=0.5, gt=0, le=1)
    """Share of failed requests at which it is left alone. Outages, statuses from 500, and timeouts count;
    the latter only when at least half of the time of one answer was waited."""
    min_requests: int = Field(default=20, ge=1)
    """Requests within ``window`` before the share counts."""
    window: Duration = 10.0
    """Time over which requests are counted."""
    open_for: Duration = 5.0
    """Time after which one request is let through, to see whether the subgraph answers again."""
    probe: bool = False
    """Ask ``{ __typename }`` in the background every ``open_for`` instead, so that no client's request is at stake."""


class TrafficSettings(Section):
    """Requests to subgraphs."""

    timeout: Duration = 30.0
    """Time for one answer of a subgraph, from the start of the request to the end of the body."""
    operation_timeout: Duration = 60.0
    """Time for all requests of one operation, or of one event of a subscription, together; what is left when a request
    starts bounds it."""
    deadline_header: HeaderName | None = "x-crossdock-deadline-ms"
    """Header that tells subgraphs how many milliseconds their answer is waited for; null for none."""
    client_deadline: bool = False
    """Let clients shorten the time of their queries and mutations by the same header."""
    retry: RetrySettings = RetrySettings()
    """Queries that are sent again."""
    circuit: CircuitSettings = CircuitSettings()
    """Subgraphs that are left alone."""
    connect_timeout: Duration = 5.0
    """Time until a connection or a subscription is accepted."""
    max_connections: int = Field(default=256, ge=1)
    """Requests in flight to one subgraph; more wait."""
    max_response_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest answer of a subgraph."""
    override_labels: tuple[str, ...] = ()
    """Labels of progressive overrides that are on; those of the form percent(x) are on for that share of requests."""
    share_subgraph_requests: bool = True
    """Send identical queries that are in flight at the same time once (same body, same propagated headers)."""
    share_client_requests: bool = False
    """Execute identical client queries that are in flight at the same time once (same body, headers and principal)."""
