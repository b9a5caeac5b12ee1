"""One trace from the client to the subgraphs: W3C trace context, and spans where OpenTelemetry is installed."""

from gateway.tracing.context import TraceContext, correlation_id, current, read_context
from gateway.tracing.ways import NoTracing, PassOn, Tracing

__all__ = ["NoTracing", "PassOn", "TraceContext", "Tracing", "correlation_id", "current", "read_context"]
