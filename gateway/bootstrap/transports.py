"""The way to each subgraph: what the settings ask for, layer around layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.bootstrap.generation import Generation
from gateway.bootstrap.pools import Lease, Pools
from gateway.config import CallbackSettings, SubgraphSettings, TrafficSettings
from gateway.errors import ConfigError
from gateway.extensions.fetching import HookedTransport
from gateway.supergraph import SubgraphInfo, Supergraph
from gateway.transport.base import ACCEPT, SubgraphTransport
from gateway.transport.callback import CALLBACK_ACCEPT, CallbackTransport
from gateway.transport.circuit import CircuitRules, CircuitTransport
from gateway.transport.deadline import DeadlineTransport
from gateway.transport.dedupe import DedupeTransport
from gateway.transport.health import ProbeTarget
from gateway.transport.limits import TransportLimits
from gateway.transport.metered import MeteredTransport
from gateway.transport.registry import TransportRegistry
from gateway.transport.retry import RetryBudget, RetryRules, RetryTransport
from gateway.transport.shared_streams import SharedStreamTransport, StreamCount
from gateway.transport.tls import SubgraphTlsContext
from gateway.transport.upstream import Upstream

if TYPE_CHECKING:
    from gateway.policies.metrics import Metrics

__all__ = ["build_http", "build_transports", "probe_targets"]

_PATIENCE_SHARE = 0.5
"""Share of the longest wait for an answer after which none is an outage. An operation, or a client, that has less time
left must not be able to have a subgraph left alone for all."""


def build_transports(
    supergraph: Supergraph, generation: Generation, pools: Pools, upstream: Upstream
) -> TransportRegistry:
    """Return a transport to each subgraph, by name; where the pools have one that is still right, that one.

    Raises:
        ConfigError: the settings name a subgraph that the supergraph lacks, or a subgraph has no address.
    """
    _check_names(supergraph, generation, pools)
    leased: dict[str, Lease] = {}
    try:
        for name, info in supergraph.subgraphs.items():
            leased[name] = _lease(info, generation, pools, upstream)
    except ConfigError:
        for lease in leased.values():
            lease.drop()
        raise
    metrics = generation.served_metrics
    count = upstream.streams
    ways = {name: _tell_deadline(way, generation) if name in pools.given else way for name, way in leased.items()}
    return TransportRegistry({name: _wrap(name, way, generation, count, metrics) for name, way in ways.items()})


def _check_names(supergraph: Supergraph, generation: Generation, pools: Pools) -> None:
    settings = generation.settings
    named = {"subgraphs": {*pools.given}}
    if settings.supergraph.directory is None:  # else what is named may be put there later
        named["subgraphs"] |= settings.subgraphs.keys()
        named["headers.subgraphs"] = {*settings.headers.subgraphs}
        named["cache.subgraphs"] = {*settings.cache.subgraphs}
    for section, names in named.items():
        for unknown in sorted(names - supergraph.subgraphs.keys()):
            known = ", ".join(supergraph.subgraphs)
            raise ConfigError(f"{section}.{unknown}: the supergraph has no such subgraph; it has {known}")


def _wrap(
    name: str, transport: SubgraphTransport, generation: Generation, count: StreamCount, metrics: Metrics | None
) -> SubgraphTransport:
    """Return the transport with what belongs to one graph."""
    settings = generation.settings
    claims = settings.identity.subgraph_claims
    transport = generation.tracing.wrap(name, transport)
    hooks = generation.rules.hooks
    hooked = hooks if hooks is not None and (hooks.fetches or hooks.fetched) else None
    if hooked is not None and not hooked.tell_callers:
        transport = HookedTransport(name, transport, hooked)  # once for all who share a request
    if settings.traffic.share_subgraph_requests:
        transport = DedupeTransport(transport)
    claims_header = None if claims is None else claims.header
    transport = SharedStreamTransport(name, transport, claims_header, settings.subscriptions.max_waiting_events, count)
    if hooked is not None and hooked.tell_callers:
        transport = HookedTransport(name, transport, hooked)  # what hooks add tells requests apart before any is shared
    transport = generation.headers.wrap(name, transport)
    return transport if metrics is None else MeteredTransport(name, transport, metrics.fetched)


def _tell_deadline(transport: SubgraphTransport, generation: Generation) -> SubgraphTransport:
    """Return a transport that was given, with the header that others send by themselves."""
    header = generation.settings.traffic.deadline_header
    return transport if header is None else DeadlineTransport(transport, header)


def _lease(info: SubgraphInfo, generation: Generation, pools: Pools, upstream: Upstream) -> Lease:
    settings = generation.settings
    own, traffic = settings.subgraphs.get(info.name, SubgraphSettings()), settings.traffic
    place = settings.callback if own.subscriptions == "callback" else None
    tls = generation.certificates.get(info.name)
    key = (info.url, own.model_dump_json(), traffic.model_dump_json(), place, tls)  # all that it is made from
    return pools.lease(info.name, key, lambda: build_http(info, own, traffic, place, tls, upstream))


def build_http(
    info: SubgraphInfo,
    own: SubgraphSettings,
    traffic: TrafficSettings,
    place: CallbackSettings | None,
    tls: SubgraphTlsContext | None,
    upstream: Upstream,
) -> SubgraphTransport:
    """Return a transport to a subgraph over the network.

    Raises:
        ConfigError: the subgraph has no address, or certificates and an address without TLS.
    """
    from gateway.transport.graphql_ws import GraphqlWsTransport  # noqa: PLC0415 - embedded graphs need no network
    from gateway.transport.multipart import MultipartTransport  # noqa: PLC0415
    from gateway.transport.sse import SseTransport  # noqa: PLC0415

    url = own.url or info.url
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"subgraphs.{info.name}.url: an http or https address is needed, found {url!r}")
    stream_url = own.subscriptions_url or url
    for address in (url, stream_url) if tls is not None else ():
        if not address.startswith(("https://", "wss://")):
            said = f"certificates are of no use at {address}, which is not https"
            raise ConfigError(f"subgraphs.{info.name}.tls: {said}")
    limits = TransportLimits(
        timeout_s=own.timeout or traffic.timeout,
        connect_timeout_s=traffic.connect_timeout,
        max_connections=traffic.max_connections,
        max_body_bytes=traffic.max_response_bytes,
    )
    streams: SubgraphTransport | None = None
    if own.subscriptions == "graphql-transport-ws":
        streams = GraphqlWsTransport(info.name, stream_url, limits, tls)
    elif own.subscriptions == "sse":
        streams = SseTransport(info.name, stream_url, limits, tls)
    elif own.subscriptions == "multipart":
        streams = MultipartTransport(info.name, stream_url, limits, tls)
    elif place is not None:
        asking = _http(info.name, stream_url, limits, tls, None, CALLBACK_ACCEPT)
        streams = CallbackTransport(info.name, asking, upstream.callbacks, limits, place.public_url, place.heartbeat)
    sending = _http(info.name, url, limits, tls, streams)
    if traffic.deadline_header is not None:
        sending = DeadlineTransport(sending, traffic.deadline_header, limits.timeout_s)
    return _harden(info.name, sending, limits.timeout_s, traffic, upstream)


def _http(
    subgraph: str,
    url: str,
    limits: TransportLimits,
    tls: SubgraphTlsContext | None,
    streams: SubgraphTransport | None,
    accept: str = ACCEPT,
) -> SubgraphTransport:
    from gateway.transport.http import HttpTransport  # noqa: PLC0415 - embedded graphs need no network
    from gateway.transport.http1 import Http1Transport  # noqa: PLC0415

    if tls is not None or url.startswith("http://"):
        return Http1Transport(subgraph, url, limits, streams, accept, tls)
    return HttpTransport(subgraph, url, limits, streams, accept)


def probe_targets(supergraph: Supergraph, generation: Generation, pools: Pools) -> dict[str, ProbeTarget]:
    """Return which subgraphs the settings want probed, and how."""
    settings, found = generation.settings.subgraphs, dict[str, ProbeTarget]()
    for name, info in supergraph.subgraphs.items():
        own = settings.get(name)
        if own is not None and own.health is not None and name not in pools.given:
            found[name] = ProbeTarget(own.url or info.url, own.health, generation.certificates.get(name))
    return found


def _harden(
    subgraph: str, transport: SubgraphTransport, timeout_s: float, traffic: TrafficSettings, upstream: Upstream
) -> SubgraphTransport:
    """Return the transport with a circuit breaker, and retries around it, as the settings want them."""
    circuit, retry = traffic.circuit, traffic.retry
    if circuit.enabled:
        patience_s = min(timeout_s, traffic.operation_timeout) * _PATIENCE_SHARE
        rules = CircuitRules(
            circuit.failure_share, circuit.min_requests, circuit.window, circuit.open_for, circuit.probe, patience_s
        )
        transport = CircuitTransport(subgraph, transport, rules, seen_at=lambda: upstream.health.seen_at(subgraph))
    if retry.max_retries:
        retries = RetryRules(retry.max_retries, retry.base_delay, retry.max_delay, timeout_s)
        transport = RetryTransport(transport, retries, RetryBudget(retry.budget))
    return transport
