"""Metrics and traces, each loaded only where the settings want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config import GatewaySettings
from gateway.errors import ConfigError
from gateway.policies.shared_metrics import shared_folder
from gateway.tracing import NoTracing, PassOn, Tracing
from gateway.transport.health import HealthState

if TYPE_CHECKING:
    from gateway.policies.load import Load
    from gateway.policies.loop_lag import LoopLag
    from gateway.policies.metrics import Metrics
    from gateway.server.pipeline import Pipeline
    from gateway.server.streams import SubscriptionCounter
    from gateway.transport.upstream import Upstream

__all__ = ["build_metrics", "build_tracing", "watch_figures"]


def build_metrics(settings: GatewaySettings) -> Metrics | None:
    """Return where figures are counted, None where none are served."""
    if not settings.telemetry.metrics:
        return None
    from gateway.policies.metrics import Metrics  # noqa: PLC0415 - who serves no metrics need not load them

    return Metrics(shared_folder())


def build_tracing(settings: GatewaySettings) -> Tracing:
    """Return the tracing of the settings.

    Raises:
        ConfigError: it needs an extra that is not installed.
    """
    mode = settings.telemetry.tracing
    if mode != "spans":
        return PassOn() if mode == "pass_on" else NoTracing()
    try:
        from gateway.tracing.spans import Spans  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ConfigError(
            'telemetry.tracing is "spans": install OpenTelemetry, pip install crossdock[telemetry]'
        ) from error
    return Spans()


def watch_figures(
    metrics: Metrics,
    pipeline: Pipeline,
    load: Load,
    counter: SubscriptionCounter,
    upstream: Upstream,
    lag: LoopLag,
) -> None:
    """Add the figures that are read whenever metrics are asked for."""
    metrics.watch("gateway_plans", "Prepared operations in memory.", lambda: pipeline.cached_plans)
    metrics.watch("gateway_running", "Queries and mutations under way.", lambda: load.running)
    metrics.watch("gateway_waiting", "Queries and mutations that wait.", lambda: load.waiting)
    metrics.watch("gateway_streams", "Subscriptions under way.", lambda: counter.running)
    metrics.watch("gateway_subgraph_streams", "Streams from subgraphs.", lambda: upstream.streams.running)
    metrics.watch("gateway_loop_lag_seconds", "Worst delay of the event loop of late.", lambda: lag.worst_s, "max")
    what = "Whether a subgraph that is probed is up."
    metrics.watch_each("gateway_subgraph_up", what, "subgraph", lambda: _ups(upstream))


def _ups(upstream: Upstream) -> dict[str, float]:
    return {name: float(item.state is HealthState.UP) for name, item in upstream.health.statuses().items()}
