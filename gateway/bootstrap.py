"""The only place where the gateway's parts are put together.

supergraph text -> Supergraph -> Planner; settings -> transports, identity, endpoints; all of it -> Gateway.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Any, Self

from gateway.app import GatewayApp
from gateway.config import GatewaySettings, SubgraphSettings
from gateway.errors import ConfigError
from gateway.executor import ExecutionResult
from gateway.planner import Planner
from gateway.server.claims import ClaimsSigner
from gateway.server.http import HttpEndpoint
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Identity, Principal, anonymous, everybody
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.streams import SubscriptionCounter
from gateway.server.ws import WsEndpoint
from gateway.supergraph import SubgraphInfo, Supergraph, parse_supergraph
from gateway.transport.base import SubgraphTransport
from gateway.transport.dedupe import DedupeTransport
from gateway.transport.limits import TransportLimits
from gateway.transport.registry import TransportRegistry

__all__ = ["Gateway", "build_gateway"]


class Gateway:
    """A gateway for one supergraph. Use it as an async context manager; leaving it closes the transports."""

    def __init__(
        self, supergraph: Supergraph, pipeline: Pipeline, transports: TransportRegistry, asgi: GatewayApp
    ) -> None:
        self.supergraph = supergraph
        self.asgi = asgi
        self._pipeline = pipeline
        self._transports = transports
        asgi.on_stop(self.aclose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the transports; may be called more than once."""
        await self._transports.aclose()

    async def execute(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: RequestContext | None = None,
    ) -> ExecutionResult:
        """Run a query or mutation; every failure is in the result, none is raised.

        Cancel/retry: a cancelled mutation may have taken effect.
        """
        return await self._pipeline.execute(GraphQLRequest(query, variables, operation_name), context or _NOBODY)

    def subscribe(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: RequestContext | None = None,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Run a subscription and yield one result per event; closing the generator ends it.

        Raises:
            RequestError: while iterating, when the operation or its variables are not valid.
        """
        return self._pipeline.stream(GraphQLRequest(query, variables, operation_name), context or _NOBODY)


_NOBODY = RequestContext()


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
    supergraph = parse_supergraph(supergraph_sdl)
    registry = TransportRegistry(_build_transports(supergraph, dict(transports or {}), settings))
    pipeline = Pipeline(
        supergraph,
        Planner(supergraph),
        registry,
        max_cached_plans=settings.limits.max_cached_plans,
        max_cached_text_bytes=settings.limits.max_cached_text_bytes,
        claims=_claims(settings),
    )
    chosen = identity or _identity(settings)
    counter = SubscriptionCounter(settings.subscriptions.max_total)
    http = HttpEndpoint(
        pipeline,
        chosen,
        counter,
        propagate=settings.headers.propagate,
        max_request_bytes=settings.limits.max_request_bytes,
        heartbeat_s=settings.subscriptions.heartbeat,
        share_requests=settings.traffic.share_client_requests,
    )
    websocket = WsEndpoint(
        pipeline,
        chosen,
        counter,
        propagate=settings.headers.propagate,
        max_per_connection=settings.subscriptions.max_per_connection,
        init_timeout_s=settings.subscriptions.init_timeout,
        ping_s=settings.subscriptions.heartbeat,
    )
    return Gateway(supergraph, pipeline, registry, GatewayApp(http, websocket, settings.server))


def _identity(settings: GatewaySettings) -> Identity:
    if settings.identity.tokens is not None:
        from gateway.server.tokens import TokenReader  # noqa: PLC0415 - cryptography is slow to load

        return TokenReader(settings.identity.tokens)
    development = settings.identity.development_identity
    if development is None:
        return anonymous
    return everybody(
        Principal(
            development.subject,
            frozenset(development.scopes),
            frozenset(development.policies),
            tuple(sorted(development.claims.items())),
        )
    )


def _claims(settings: GatewaySettings) -> ClaimsSigner | None:
    given = settings.identity.subgraph_claims
    return None if given is None else ClaimsSigner(given.header, given.key, given.lifetime)


def _build_transports(
    supergraph: Supergraph, given: dict[str, SubgraphTransport], settings: GatewaySettings
) -> dict[str, SubgraphTransport]:
    unknown = sorted({*given, *settings.subgraphs} - supergraph.subgraphs.keys())
    if unknown:
        known = ", ".join(supergraph.subgraphs)
        raise ConfigError(f"subgraphs.{unknown[0]}: the supergraph has no such subgraph; it has {known}")
    found: dict[str, SubgraphTransport] = {}
    for name, info in supergraph.subgraphs.items():
        transport = given.get(name) or _build_http(info, settings)
        found[name] = DedupeTransport(transport) if settings.traffic.share_subgraph_requests else transport
    return found


def _build_http(info: SubgraphInfo, settings: GatewaySettings) -> SubgraphTransport:
    from gateway.transport.graphql_ws import GraphqlWsTransport  # noqa: PLC0415 - embedded graphs need no network
    from gateway.transport.http import HttpTransport  # noqa: PLC0415
    from gateway.transport.http1 import Http1Transport  # noqa: PLC0415
    from gateway.transport.sse import SseTransport  # noqa: PLC0415

    own = settings.subgraphs.get(info.name, SubgraphSettings())
    url = own.url or info.url
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"subgraphs.{info.name}.url: an http or https address is needed, found {url!r}")
    traffic = settings.traffic
    limits = TransportLimits(
        timeout_s=own.timeout or traffic.timeout,
        connect_timeout_s=traffic.connect_timeout,
        max_connections=traffic.max_connections,
        max_body_bytes=traffic.max_response_bytes,
    )
    stream_url = own.subscriptions_url or url
    streams: SubgraphTransport | None = None
    if own.subscriptions == "graphql-transport-ws":
        streams = GraphqlWsTransport(info.name, stream_url, limits)
    elif own.subscriptions == "sse":
        streams = SseTransport(info.name, stream_url, limits)
    make = Http1Transport if url.startswith("http://") else HttpTransport
    return make(info.name, url, limits, streams)
