"""One trace from the client to the subgraphs: W3C trace context, and spans where OpenTelemetry is installed."""

from gateway.tracing.context import TraceContext, correlation_id, current, read_context
from gateway.tracing.lookups import Lookups, lookups, outcome_of
from gateway.tracing.ways import NoTracing, PassOn, Tracing

__all__ = [
    "Lookups",
    "NoTracing",
    "PassOn",
    "TraceContext",
    "Tracing",
    "correlation_id",
    "current",
    "lookups",
    "outcome_of",
    "read_context",
]
