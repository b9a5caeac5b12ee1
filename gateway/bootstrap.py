"""The only place where the gateway's parts are put together.

supergraph text -> Supergraph -> Planner; settings -> transports, identity, endpoints; all of it -> Gateway.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gateway.app import GatewayApp
from gateway.config import GatewaySettings, SubgraphSettings, TrafficSettings, check_change
from gateway.errors import ConfigError, GatewayError
from gateway.executor import DeferredResult, ExecutionResult
from gateway.planner import Planner
from gateway.policies.api_keys import ApiKeys
from gateway.policies.clients import ClientReader
from gateway.policies.credentials import Credentials
from gateway.policies.csrf import CsrfPolicy
from gateway.policies.error_mask import ErrorMask
from gateway.policies.header_rules import HeaderRules
from gateway.policies.loop_lag import LoopLag
from gateway.policies.observer import Observer
from gateway.policies.policy_set import compile_policies
from gateway.policies.request_log import RequestLog
from gateway.policies.shared_redis import SharedRedis
from gateway.server.claims import ClaimsSigner
from gateway.server.http import HttpEndpoint, HttpLimits
from gateway.server.overrides import OverrideLabels
from gateway.server.pipeline import Pipeline
from gateway.server.prepared import Graph
from gateway.server.principal import Identity, Principal, anonymous, everybody
from gateway.server.reload import Reloader, SupergraphSource
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.sse_single import SharedStreams
from gateway.server.stream_sharing import StreamSharing
from gateway.server.streams import StreamLimits, SubscriptionCounter
from gateway.server.ws import WsEndpoint
from gateway.supergraph import SubgraphInfo, Supergraph, parse_supergraph
from gateway.tracing import NoTracing, PassOn, Tracing
from gateway.transport.base import SubgraphTransport
from gateway.transport.circuit import CircuitRules, CircuitTransport
from gateway.transport.dedupe import DedupeTransport
from gateway.transport.limits import TransportLimits
from gateway.transport.metered import MeteredTransport
from gateway.transport.registry import TransportRegistry
from gateway.transport.retry import RetryBudget, RetryRules, RetryTransport
from gateway.transport.shared_streams import SharedStreamTransport, StreamCount

if TYPE_CHECKING:
    from gateway.policies.metrics import Metrics

__all__ = ["Gateway", "build_gateway"]

_log = logging.getLogger("gateway")


class Gateway:
    """A gateway for one supergraph. Use it as an async context manager; leaving it closes the transports."""

    def __init__(
        self,
        supergraph: Supergraph,
        pipeline: Pipeline,
        transports: TransportRegistry,
        asgi: GatewayApp,
        closing: Iterable[Callable[[], Awaitable[None]]] = (),
        build_graph: GraphBuilder | None = None,
        drain_s: float = 0.0,
    ) -> None:
        self.supergraph = supergraph
        self.asgi = asgi
        self._pipeline = pipeline
        self._transports = transports
        self._closing = tuple(closing)
        self._build_graph = build_graph
        self._drain_s = drain_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloaders: list[Reloader] = []
        self._changing = asyncio.Lock()
        asgi.on_stop(self.aclose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End shared event streams and close the transports; may be called more than once."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.asgi.aclose()
        await self._transports.aclose()
        for close in self._closing:
            await close()

    def follow(self, source: SupergraphSource, poll_s: float) -> None:
        """Look at ``source``, which has given what is served now, every ``poll_s`` while the server runs."""
        reloader = Reloader(source, self.reload, poll_s)
        self._reloaders.append(reloader)
        self.keep_running(reloader.run)

    def heed_hangup(self, read: Callable[[], GatewaySettings]) -> None:
        """On SIGHUP, while the server runs, take over the settings that ``read`` returns, and look for a supergraph."""

        async def start() -> None:
            if hasattr(signal, "SIGHUP"):
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._look_again(read)))

        self.asgi.on_start(start)

    async def _look_again(self, read: Callable[[], GatewaySettings]) -> None:
        try:
            changed = await self.change_settings(await asyncio.to_thread(read))
            _log.warning("settings taken over: %s", ", ".join(changed) or "none has changed")
        except GatewayError as error:
            _log.error("the settings are not replaced, the old ones hold: %s", error)
        for reloader in self._reloaders:
            await reloader.look()

    def keep_running(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start ``work`` with the server, and end it with the gateway."""

        async def start() -> None:
            self._spawn(work())

        self.asgi.on_start(start)

    async def reload(self, supergraph_sdl: str) -> None:
        """Serve another supergraph; what is under way ends with the one before, within the time to drain.

        Raises:
            SupergraphError: the document cannot be served; nothing has changed.
            ConfigError: the settings do not fit it; nothing has changed.
        """
        if self._build_graph is None:
            raise ConfigError("this gateway was put together for one supergraph")
        async with self._changing:
            parts = await asyncio.to_thread(self._build_graph.parse, supergraph_sdl)
            transports = self._build_graph.transports(parts.supergraph)
            before = await self._pipeline.replace(parts.supergraph, parts.planner, transports, parts.overrides)
            old, self._transports, self.supergraph = self._transports, transports, parts.supergraph
            self._spawn(self._retire(before, old))

    async def change_settings(self, settings: GatewaySettings) -> tuple[str, ...]:
        """Take over limits, rates and header rules, and return the keys that have changed.

        Requests that come from now on see them; what is under way ends with the old ones.

        Raises:
            ConfigError: other settings have changed too, or the new ones do not fit the supergraph; the old ones hold.
        """
        if self._build_graph is None:
            raise ConfigError("this gateway was put together for one supergraph")
        async with self._changing:
            changed = check_change(self._build_graph.settings, settings)
            if not changed:
                return ()
            builder = self._build_graph.with_settings(settings)
            transports = builder.transports(self.supergraph)
            self.asgi.change(builder.captured, _http_limits(settings))
            before = await self._pipeline.change(settings, transports)
            old, self._transports, self._build_graph = self._transports, transports, builder
            self._spawn(self._retire(before, old))
            return changed

    async def _retire(self, graph: Graph, transports: TransportRegistry) -> None:
        """Close what only a graph that is not served any more has used."""
        given = () if self._build_graph is None else self._build_graph.given
        try:
            async with asyncio.timeout(self._drain_s):
                await graph.drain()
        except TimeoutError:
            _log.warning("%d operations of the old supergraph are ended", graph.running)
        finally:
            await transports.aclose(keep=given)
            gc.unfreeze()  # the command line freezes what it starts with, and that is garbage now

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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

    def deliver(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: RequestContext | None = None,
    ) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
        """Run a query or mutation and yield its first answer, then each fragment that it defers.

        Raises:
            RequestError, PlanningError: while iterating, before the first answer, when nothing was started.

        Cancel/retry: closing the generator cancels what is under way.
        """
        return self._pipeline.deliver(GraphQLRequest(query, variables, operation_name), context or _NOBODY)

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


@dataclass(frozen=True, slots=True)
class GraphParts:
    """What is made of the text of a supergraph."""

    supergraph: Supergraph
    planner: Planner
    overrides: OverrideLabels


class GraphBuilder:
    """Makes the parts of a gateway that depend on the supergraph, for the first one and for every later one.

    Attributes:
        settings: the settings that hold now.
        given: transports that came from outside, by subgraph; they outlive each supergraph.
        streams: counts the subscriptions at subgraphs.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        given: Mapping[str, SubgraphTransport],
        headers: HeaderRules,
        metrics: Metrics | None,
        tracing: Tracing,
    ) -> None:
        self.settings = settings
        self.given = dict(given)
        self._headers = headers
        self._metrics = metrics
        self._tracing = tracing
        self.streams = StreamCount()

    @property
    def captured(self) -> tuple[str, ...]:
        """Headers of clients that the rules read."""
        return self._headers.captured

    def with_settings(self, settings: GatewaySettings) -> GraphBuilder:
        """Return a builder that goes on with other settings."""
        builder = GraphBuilder(settings, self.given, HeaderRules(settings.headers), self._metrics, self._tracing)
        builder.streams = self.streams
        return builder

    def parse(self, supergraph_sdl: str) -> GraphParts:
        """Return what is made of the text; takes as long as the graph is large.

        Raises:
            SupergraphError: the document cannot be served.
            ConfigError: the settings name a field that it lacks.
        """
        supergraph = parse_supergraph(supergraph_sdl)
        _check_public_fields(supergraph, self.settings.subscriptions.public_fields)
        labels = OverrideLabels(supergraph, self.settings.traffic.override_labels)
        return GraphParts(supergraph, Planner(supergraph), labels)

    def transports(self, supergraph: Supergraph) -> TransportRegistry:
        """Return a way to each subgraph.

        Raises:
            ConfigError: the settings name a subgraph that the supergraph lacks, or a subgraph has no address.
        """
        found = _build_transports(supergraph, self.given, self.settings, self._headers, self.streams, self._tracing)
        metrics = self._metrics
        if metrics is not None:
            found = {name: MeteredTransport(name, transport, metrics.fetched) for name, transport in found.items()}
        return TransportRegistry(found)


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
    metrics, tracing = _metrics(settings), _tracing(settings)
    builder = GraphBuilder(settings, transports or {}, headers, metrics, tracing)
    parts = builder.parse(supergraph_sdl)
    supergraph, registry = parts.supergraph, builder.transports(parts.supergraph)
    redis = SharedRedis(settings.redis) if settings.redis is not None else None
    policies = compile_policies(settings, redis)
    pipeline = Pipeline(
        supergraph,
        parts.planner,
        registry,
        max_cached_plans=settings.limits.max_cached_plans,
        max_cached_text_bytes=settings.limits.max_cached_text_bytes,
        claims=_claims(settings),
        resume_for_s=settings.subscriptions.resume_for,
        policies=policies,
        observer=Observer(ErrorMask(settings.errors), RequestLog(settings.telemetry.request_log), metrics, tracing),
        operation_timeout_s=settings.traffic.operation_timeout,
        overrides=parts.overrides,
        retries_keyed=settings.idempotency.retry,
        stream_sharing=StreamSharing(settings.subscriptions),
    )
    clients = ClientReader(settings.server.trusted_proxies, settings.server.client_name_headers)
    closing: list[Callable[[], Awaitable[None]]] = [] if redis is None else [redis.aclose]
    chosen = identity or _identity(settings, closing)
    streams = settings.subscriptions
    counter = SubscriptionCounter(streams.max_total, streams.max_per_client)
    stream_limits = StreamLimits(streams.max_waiting_events, streams.slow_client_timeout, streams.heartbeat)
    http = HttpEndpoint(
        pipeline,
        chosen,
        counter,
        propagate=headers.captured,
        clients=clients,
        csrf=CsrfPolicy(settings.csrf),
        limits=_http_limits(settings),
        stream_limits=stream_limits,
        shared_streams=_shared_streams(settings, pipeline, counter, stream_limits),
        share_requests=settings.traffic.share_client_requests,
        reads_keys=settings.idempotency.header,
    )
    websocket = WsEndpoint(
        pipeline,
        chosen,
        counter,
        propagate=headers.captured,
        clients=clients,
        stream_limits=stream_limits,
        max_per_connection=streams.max_per_connection,
        init_timeout_s=streams.init_timeout,
    )
    routes = []
    lag = LoopLag()
    if metrics is not None:
        metrics.watch("gateway_plans", "Prepared operations in memory.", lambda: pipeline.cached_plans)
        metrics.watch("gateway_running", "Queries and mutations under way.", lambda: policies.load.running)
        metrics.watch("gateway_waiting", "Queries and mutations that wait.", lambda: policies.load.waiting)
        metrics.watch("gateway_streams", "Subscriptions under way.", lambda: counter.running)
        metrics.watch("gateway_subgraph_streams", "Streams from subgraphs.", lambda: builder.streams.running)
        metrics.watch("gateway_loop_lag_seconds", "Worst delay of the event loop of late.", lambda: lag.worst_s)
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
    gateway = Gateway(supergraph, pipeline, registry, app, closing, builder, settings.supergraph.drain)
    if metrics is not None:
        gateway.keep_running(lag.run)
    return gateway


def _http_limits(settings: GatewaySettings) -> HttpLimits:
    return HttpLimits(
        settings.limits.max_request_bytes,
        settings.limits.max_batch,
        settings.server.compress_from_bytes,
        settings.limits.max_upload_bytes,
    )


def _metrics(settings: GatewaySettings) -> Metrics | None:
    if not settings.telemetry.metrics:
        return None
    from gateway.policies.metrics import Metrics  # noqa: PLC0415 - who serves no metrics need not load them

    return Metrics()


def _tracing(settings: GatewaySettings) -> Tracing:
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


def _shared_streams(
    settings: GatewaySettings, pipeline: Pipeline, counter: SubscriptionCounter, limits: StreamLimits
) -> SharedStreams | None:
    given = settings.subscriptions
    if not given.shared_event_streams:
        return None
    return SharedStreams(
        pipeline, counter, limits, max_per_connection=given.max_per_connection, open_within_s=given.init_timeout
    )


def _identity(settings: GatewaySettings, closing: list[Callable[[], Awaitable[None]]]) -> Identity:
    given = settings.identity
    development = given.development_identity
    if development is None:
        ways: list[Identity] = []
        if given.tokens is not None:
            from gateway.server.tokens import TokenReader  # noqa: PLC0415 - cryptography is slow to load

            tokens = TokenReader(given.tokens)
            ways.append(tokens)
            closing.append(tokens.aclose)
        if given.api_keys:
            ways.append(ApiKeys(given.api_keys, given.api_key_header))
        if len(ways) == 1 and given.anonymous:
            return ways[0]
        return Credentials(tuple(ways), allows_anonymous=given.anonymous) if ways or not given.anonymous else anonymous
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


def _check_public_fields(supergraph: Supergraph, named: Iterable[str]) -> None:
    root = supergraph.root_types.get("subscription", "")
    fields = supergraph.types[root].fields if root in supergraph.types else {}
    for name in named:
        type_name, _, field_name = name.partition(".")
        if type_name != root or field_name not in fields:
            known = ", ".join(f"{root}.{field}" for field in fields) or "none"
            raise ConfigError(
                f"subscriptions.public_fields: {name} is no subscription of the supergraph; it has {known}"
            )


def _build_transports(
    supergraph: Supergraph,
    given: dict[str, SubgraphTransport],
    settings: GatewaySettings,
    headers: HeaderRules,
    count: StreamCount,
    tracing: Tracing,
) -> dict[str, SubgraphTransport]:
    named = {*settings.subgraphs, *settings.headers.subgraphs}
    may_come = settings.supergraph.directory is not None  # of what is named, some may be put there later
    unknown = sorted({*given, *(() if may_come else named)} - supergraph.subgraphs.keys())
    if unknown:
        known = ", ".join(supergraph.subgraphs)
        raise ConfigError(f"subgraphs.{unknown[0]}: the supergraph has no such subgraph; it has {known}")
    claims, max_waiting = settings.identity.subgraph_claims, settings.subscriptions.max_waiting_events
    claims_header = None if claims is None else claims.header
    found: dict[str, SubgraphTransport] = {}
    for name, info in supergraph.subgraphs.items():
        transport = tracing.wrap(name, given.get(name) or _build_http(info, settings))
        if settings.traffic.share_subgraph_requests:
            transport = DedupeTransport(transport)
        transport = SharedStreamTransport(name, transport, claims_header, max_waiting, count)
        found[name] = headers.wrap(name, transport)
    return found


def _build_http(info: SubgraphInfo, settings: GatewaySettings) -> SubgraphTransport:
    from gateway.transport.graphql_ws import GraphqlWsTransport  # noqa: PLC0415 - embedded graphs need no network
    from gateway.transport.http import HttpTransport  # noqa: PLC0415
    from gateway.transport.http1 import Http1Transport  # noqa: PLC0415
    from gateway.transport.multipart import MultipartTransport  # noqa: PLC0415
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
    elif own.subscriptions == "multipart":
        streams = MultipartTransport(info.name, stream_url, limits)
    make = Http1Transport if url.startswith("http://") else HttpTransport
    return _harden(info.name, make(info.name, url, limits, streams), limits.timeout_s, traffic)


def _harden(
    subgraph: str, transport: SubgraphTransport, timeout_s: float, traffic: TrafficSettings
) -> SubgraphTransport:
    """Return the transport with a circuit breaker, and retries around it, as the settings want them."""
    circuit, retry = traffic.circuit, traffic.retry
    if circuit.enabled:
        rules = CircuitRules(
            circuit.failure_share, circuit.min_requests, circuit.window, circuit.open_for, circuit.probe
        )
        transport = CircuitTransport(subgraph, transport, rules)
    if retry.max_retries:
        retries = RetryRules(retry.max_retries, retry.base_delay, retry.max_delay, timeout_s)
        transport = RetryTransport(transport, retries, RetryBudget(retry.budget))
    return transport
