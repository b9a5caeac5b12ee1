"""Settings and the text of a supergraph -> a gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from gateway.app import GatewayApp
from gateway.bootstrap.endpoints import build_http_endpoint, build_ws_endpoint
from gateway.bootstrap.gateway import Gateway
from gateway.bootstrap.graph import GraphBuilder
from gateway.bootstrap.identities import build_claims, build_identity
from gateway.bootstrap.observation import build_metrics, build_tracing, watch_figures
from gateway.config import GatewaySettings
from gateway.policies.clients import ClientReader
from gateway.policies.error_mask import ErrorMask
from gateway.policies.header_rules import HeaderRules
from gateway.policies.loop_lag import LoopLag
from gateway.policies.observer import Observer
from gateway.policies.policy_set import PolicySet, compile_policies
from gateway.policies.request_log import RequestLog
from gateway.policies.shared_redis import SharedRedis
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Identity
from gateway.server.stream_sharing import StreamSharing
from gateway.server.streams import StreamLimits, SubscriptionCounter
from gateway.transport.base import SubgraphTransport

if TYPE_CHECKING:
    from gateway.bootstrap.graph import GraphParts
    from gateway.policies.metrics import Metrics
    from gateway.tracing import Tracing
    from gateway.transport.registry import TransportRegistry

__all__ = ["build_gateway"]


def build_gateway(
    supergraph_sdl: str,
    transports: Mapping[str, SubgraphTransport] | None = None,
    settings: GatewaySettings | None = None,
    identity: Identity | None = None,
) -> Gateway:
    """Return a gateway for a supergraph document.

    Subgraphs without an entry in ``transports`` are reached at the url of the settings or of the supergraph. Without
    ``identity`` requests are anonymous, or the development principal of the settings.

    Raises:
        SupergraphError: the document cannot be served.
        ConfigError: the settings name a subgraph that the supergraph lacks, or a subgraph has no address.
    """
    settings = settings or GatewaySettings()
    headers = HeaderRules(settings.headers)
    metrics, tracing = build_metrics(settings), build_tracing(settings)
    builder = GraphBuilder(settings, transports or {}, headers, metrics, tracing)
    parts = builder.parse(supergraph_sdl)
    registry = builder.transports(parts.supergraph)
    redis = SharedRedis(settings.redis) if settings.redis is not None else None
    policies = compile_policies(settings, redis)
    pipeline = _build_pipeline(settings, parts, registry, policies, metrics, tracing)
    closing: list[Callable[[], Awaitable[None]]] = [] if redis is None else [redis.aclose]
    chosen = identity or build_identity(settings, closing)
    clients = ClientReader(settings.server.trusted_proxies, settings.server.client_name_headers)
    streams = settings.subscriptions
    counter = SubscriptionCounter(streams.max_total, streams.max_per_client)
    limits = StreamLimits(streams.max_waiting_events, streams.slow_client_timeout, streams.heartbeat)
    http = build_http_endpoint(settings, pipeline, chosen, counter, headers.captured, clients, limits)
    websocket = build_ws_endpoint(settings, pipeline, chosen, counter, headers.captured, clients, limits)
    routes: list[BaseRoute] = []
    lag = LoopLag()
    if metrics is not None:
        watch_figures(metrics, pipeline, policies, counter, builder.streams, lag)
        routes.append(metrics.route(settings.telemetry.metrics_path))
    tokens = settings.identity.tokens
    has_cookies = tokens is not None and tokens.cookie is not None
    app = GatewayApp(
        http,
        websocket,
        settings.server,
        settings.cors,
        routes,
        has_cookies=has_cookies,
        tracing=None if settings.telemetry.tracing == "none" else tracing,
    )
    gateway = Gateway(parts.supergraph, pipeline, registry, app, closing, builder, settings.supergraph.drain)
    if metrics is not None:
        gateway.keep_running(lag.run)
    return gateway


def _build_pipeline(
    settings: GatewaySettings,
    parts: GraphParts,
    transports: TransportRegistry,
    policies: PolicySet,
    metrics: Metrics | None,
    tracing: Tracing,
) -> Pipeline:
    return Pipeline(
        parts.supergraph,
        parts.planner,
        transports,
        max_cached_plans=settings.limits.max_cached_plans,
        max_cached_text_bytes=settings.limits.max_cached_text_bytes,
        claims=build_claims(settings),
        resume_for_s=settings.subscriptions.resume_for,
        policies=policies,
        observer=Observer(ErrorMask(settings.errors), RequestLog(settings.telemetry.request_log), metrics, tracing),
        operation_timeout_s=settings.traffic.operation_timeout,
        overrides=parts.overrides,
        retries_keyed=settings.idempotency.retry,
        stream_sharing=StreamSharing(settings.subscriptions),
    )
