"""The way to each subgraph: what the settings ask for, layer around layer."""

from __future__ import annotations

from gateway.config import GatewaySettings, SubgraphSettings, TrafficSettings
from gateway.errors import ConfigError
from gateway.policies.header_rules import HeaderRules
from gateway.supergraph import SubgraphInfo, Supergraph
from gateway.tracing import Tracing
from gateway.transport.base import SubgraphTransport
from gateway.transport.circuit import CircuitRules, CircuitTransport
from gateway.transport.dedupe import DedupeTransport
from gateway.transport.limits import TransportLimits
from gateway.transport.retry import RetryBudget, RetryRules, RetryTransport
from gateway.transport.shared_streams import SharedStreamTransport, StreamCount

__all__ = ["build_http", "build_transports"]


def build_transports(
    supergraph: Supergraph,
    given: dict[str, SubgraphTransport],
    settings: GatewaySettings,
    headers: HeaderRules,
    count: StreamCount,
    tracing: Tracing,
) -> dict[str, SubgraphTransport]:
    """Return a transport to each subgraph, by name; ``given`` ones take the place of those over the network.

    Raises:
        ConfigError: the settings name a subgraph that the supergraph lacks, or a subgraph has no address.
    """
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
        transport = tracing.wrap(name, given.get(name) or build_http(info, settings))
        if settings.traffic.share_subgraph_requests:
            transport = DedupeTransport(transport)
        transport = SharedStreamTransport(name, transport, claims_header, max_waiting, count)
        found[name] = headers.wrap(name, transport)
    return found


def build_http(info: SubgraphInfo, settings: GatewaySettings) -> SubgraphTransport:
    """Return a transport to a subgraph over the network.

    Raises:
        ConfigError: the subgraph has no address.
    """
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
