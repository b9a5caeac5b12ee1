"""Where clients come in: what is counted there over all connections, and the endpoints of one set of settings."""

from __future__ import annotations

from starlette.routing import BaseRoute

from gateway.app import Entrance
from gateway.bootstrap.callbacks import CallbackPlace
from gateway.bootstrap.generation import Generation, stream_limits
from gateway.config import GatewaySettings
from gateway.policies.clients import ClientReader
from gateway.policies.csrf import CsrfPolicy
from gateway.server.http import HttpEndpoint, HttpLimits
from gateway.server.invalidation import invalidation_route
from gateway.server.pipeline import Pipeline
from gateway.server.sse_single import SharedStreams
from gateway.server.stopping import OpenConnections
from gateway.server.streams import SubscriptionCounter
from gateway.server.ws import WsEndpoint
from gateway.transport.upstream import Upstream

__all__ = ["Doors"]


class Doors:
    """Makes the entrances of one gateway; connections that are open stay with the one by which they came.

    Attributes:
        counter: counts the subscriptions of clients.
        callbacks: where subgraphs send events.
    """

    def __init__(self, pipeline: Pipeline, settings: GatewaySettings, upstream: Upstream) -> None:
        given = settings.subscriptions
        self._pipeline = pipeline
        self.counter = SubscriptionCounter(given.max_total, given.max_per_client)
        self._connections = OpenConnections()
        self._upstream = upstream
        self.callbacks = CallbackPlace(upstream.callbacks)
        self._shared = SharedStreams(
            pipeline,
            self.counter,
            self._connections,
            stream_limits(settings),
            max_per_connection=given.max_per_connection,
            open_within_s=given.init_timeout,
        )

    def build(self, generation: Generation) -> Entrance:
        """Return the entrance of a set of settings."""
        settings = generation.settings
        captured = generation.captured
        clients = ClientReader(settings.server.trusted_proxies, settings.server.client_name_headers)
        limits = generation.rules.stream_limits
        has_hooks = generation.rules.hooks is not None
        http = HttpEndpoint(
            self._pipeline,
            generation.identity,
            self.counter,
            self._connections,
            propagate=captured,
            clients=clients,
            csrf=CsrfPolicy(settings.csrf),
            limits=_http_limits(settings),
            stream_limits=limits,
            shared_streams=self._shared if settings.subscriptions.shared_event_streams else None,
            share_requests=settings.traffic.share_client_requests and not has_hooks,  # each passes them by itself
            reads_keys=settings.idempotency.header,
            tells_headers=has_hooks,
        )
        websocket = WsEndpoint(
            self._pipeline,
            generation.identity,
            self.counter,
            self._connections,
            propagate=captured,
            clients=clients,
            stream_limits=limits,
            max_per_connection=settings.subscriptions.max_per_connection,
            init_timeout_s=settings.subscriptions.init_timeout,
            tells_headers=has_hooks,
        )
        metrics = generation.served_metrics
        routes: list[BaseRoute] = [] if metrics is None else [metrics.route(settings.telemetry.metrics_path)]
        cache, key = generation.rules.cache, settings.cache.invalidation.key
        if cache is not None and key is not None:
            routes.append(invalidation_route(settings.cache.invalidation.path, key, cache))
        routes += self.callbacks.routes(settings)
        tracing = None if settings.telemetry.tracing == "none" else generation.tracing
        known = self._upstream.health.statuses
        return Entrance(http, websocket, settings.server, settings.cors, tuple(routes), tracing, known)

    def change(self, settings: GatewaySettings) -> None:
        """Bound what is counted over all connections otherwise."""
        given = settings.subscriptions
        self.counter.change(given.max_total, given.max_per_client)
        self._shared.change(
            stream_limits(settings), max_per_connection=given.max_per_connection, open_within_s=given.init_timeout
        )

    async def leave(self, within_s: float) -> None:
        """Let who stays until its client leaves finish what is under way, and then close."""
        await self._connections.leave(within_s)

    async def aclose(self) -> None:
        """End the streams that outlive a request."""
        await self._shared.aclose()
        await self.callbacks.aclose()


def _http_limits(settings: GatewaySettings) -> HttpLimits:
    return HttpLimits(
        settings.limits.max_request_bytes,
        settings.limits.max_batch,
        settings.server.compress_from_bytes,
        settings.limits.max_upload_bytes,
        settings.server.encodings,
        settings.server.compress_subscriptions,
    )
