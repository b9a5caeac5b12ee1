"""What the gateway tells of itself and of failures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.section import Section

__all__ = ["ErrorSettings", "TelemetrySettings"]


class ErrorSettings(Section):
    """Errors of subgraphs in answers. Faults of the client are always shown, bugs of the gateway never."""

    subgraph_errors: Literal["shown", "masked"] = "shown"
    """Pass messages and extensions of subgraphs on, or log them under an id and give the client the id; ``code``,
    ``subgraph``, ``system``, ``processId`` and ``retryable`` are told either way."""
    shown_codes: tuple[str, ...] = ()
    """With ``masked``: values of ``extensions.code`` that are shown as they are."""


class TelemetrySettings(Section):
    """Log, metrics and traces of requests."""

    request_log: Literal["none", "failed", "all"] = "failed"
    """Write a line for no operation, those with errors, or every one; never with variables, headers or texts."""
    audit_refusals: bool = True
    """Write a line for each refusal by rights: ``authorization_refused`` with subject, client, address, hash of the
    operation and the coordinates that are closed, or ``authentication_refused``; never with tokens, headers, texts or
    variables, and at most 100 in a second."""
    tracing: Literal["none", "pass_on", "spans"] = "none"
    """Read no trace context; pass the client's W3C ``traceparent`` on to subgraphs, or begin a trace where it has none;
    or add spans of request, plan and fetch through OpenTelemetry (``pip install crossdock[telemetry]``). With the last
    two the id of the trace is ``correlation_id`` in the log and ``correlationId`` in masked errors; else it is an id of
    the request's own."""
    metrics: bool = False
    """Serve metrics for Prometheus. They are open to whoever reaches the server."""
    metrics_path: str = Field(default="/metrics", pattern=r"^/[^?#]+$")
    """Path of the metrics."""
