"""One trace from the client to the subgraphs: W3C trace context, and spans where OpenTelemetry is installed."""

from gateway.tracing.context import TraceContext, begin_request, correlation_id, current, read_context, request_id
from gateway.tracing.lookups import Lookups, lookups, outcome_of
from gateway.tracing.ways import NoTracing, PassOn, Tracing

__all__ = [
    "Lookups",
    "NoTracing",
    "PassOn",
    "TraceContext",
    "Tracing",
    "begin_request",
    "correlation_id",
    "current",
    "lookups",
    "outcome_of",
    "read_context",
    "request_id",
]
