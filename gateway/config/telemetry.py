"""What the gateway tells of itself and of failures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.section import Section

__all__ = ["ErrorSettings", "TelemetrySettings"]


class ErrorSettings(Section):
    """Errors of subgraphs in answers. Faults of the client are always shown, bugs of the gateway never."""

    subgraph_errors: Literal["shown", "masked"] = "shown"
    """Pass messages and extensions of subgraphs on, or log them under an id and give the client the id."""
    shown_codes: tuple[str, ...] = ()
    """With ``masked``: values of ``extensions.code`` that are shown as they are."""


class TelemetrySettings(Section):
    """Log and metrics of requests."""

    request_log: Literal["none", "failed", "all"] = "failed"
    """Write a line for no operation, those with errors, or every one; never with variables, headers or texts."""
    metrics: bool = False
    """Serve metrics for Prometheus. They are open to whoever reaches the server."""
    metrics_path: str = Field(default="/metrics", pattern=r"^/[^?#]+$")
    """Path of the metrics."""
