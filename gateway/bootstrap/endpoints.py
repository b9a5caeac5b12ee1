"""Where clients come in: over HTTP and by WebSocket, with the bounds of the settings."""

from __future__ import annotations

from gateway.config import GatewaySettings
from gateway.policies.clients import ClientReader
from gateway.policies.csrf import CsrfPolicy
from gateway.server.http import HttpEndpoint, HttpLimits
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Identity
from gateway.server.sse_single import SharedStreams
from gateway.server.streams import StreamLimits, SubscriptionCounter
from gateway.server.ws import WsEndpoint

__all__ = ["build_http_endpoint", "build_ws_endpoint", "http_limits"]


def build_http_endpoint(
    settings: GatewaySettings,
    pipeline: Pipeline,
    identity: Identity,
    counter: SubscriptionCounter,
    captured: tuple[str, ...],
    clients: ClientReader,
    limits: StreamLimits,
) -> HttpEndpoint:
    """Return what answers requests over HTTP; ``captured`` are the headers that the rules read."""
    return HttpEndpoint(
        pipeline,
        identity,
        counter,
        propagate=captured,
        clients=clients,
        csrf=CsrfPolicy(settings.csrf),
        limits=http_limits(settings),
        stream_limits=limits,
        shared_streams=_shared_streams(settings, pipeline, counter, limits),
        share_requests=settings.traffic.share_client_requests,
        reads_keys=settings.idempotency.header,
    )


def build_ws_endpoint(
    settings: GatewaySettings,
    pipeline: Pipeline,
    identity: Identity,
    counter: SubscriptionCounter,
    captured: tuple[str, ...],
    clients: ClientReader,
    limits: StreamLimits,
) -> WsEndpoint:
    """Return what serves WebSockets; ``captured`` are the headers that the rules read."""
    return WsEndpoint(
        pipeline,
        identity,
        counter,
        propagate=captured,
        clients=clients,
        stream_limits=limits,
        max_per_connection=settings.subscriptions.max_per_connection,
        init_timeout_s=settings.subscriptions.init_timeout,
    )


def http_limits(settings: GatewaySettings) -> HttpLimits:
    """Return the bounds of requests and answers over HTTP."""
    return HttpLimits(
        settings.limits.max_request_bytes,
        settings.limits.max_batch,
        settings.server.compress_from_bytes,
        settings.limits.max_upload_bytes,
    )


def _shared_streams(
    settings: GatewaySettings, pipeline: Pipeline, counter: SubscriptionCounter, limits: StreamLimits
) -> SharedStreams | None:
    given = settings.subscriptions
    if not given.shared_event_streams:
        return None
    return SharedStreams(
        pipeline, counter, limits, max_per_connection=given.max_per_connection, open_within_s=given.init_timeout
    )
