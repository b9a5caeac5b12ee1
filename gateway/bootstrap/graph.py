"""The parts of a gateway that depend on the supergraph, made for the first one and for every later one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.bootstrap.generation import Generation
from gateway.bootstrap.named_fields import check_named_fields
from gateway.bootstrap.pools import Pools
from gateway.bootstrap.transports import build_transports, probe_targets
from gateway.config import GatewaySettings
from gateway.planner import Planner
from gateway.server.overrides import OverrideLabels
from gateway.supergraph import Supergraph, parse_supergraph
from gateway.transport.base import SubgraphTransport
from gateway.transport.registry import TransportRegistry
from gateway.transport.upstream import Upstream

__all__ = ["GraphBuilder", "GraphParts"]


@dataclass(frozen=True, slots=True)
class GraphParts:
    """What is made of the text of a supergraph."""

    supergraph: Supergraph
    planner: Planner
    overrides: OverrideLabels


class GraphBuilder:
    """Makes what depends on the supergraph.

    Args:
        given: transports that come from outside, by subgraph; they outlive each supergraph.

    Attributes:
        upstream: what the ways to subgraphs share.
    """

    def __init__(self, given: Mapping[str, SubgraphTransport]) -> None:
        self._pools = Pools(given)
        self.upstream = Upstream()

    def parse(self, supergraph_sdl: str, settings: GatewaySettings) -> GraphParts:
        """Return what is made of the text; takes as long as the graph is large.

        Raises:
            SupergraphError: the document cannot be served.
            ConfigError: the settings name a field that it lacks.
        """
        supergraph = parse_supergraph(supergraph_sdl)
        check_named_fields(supergraph, settings)
        labels = OverrideLabels(supergraph, settings.traffic.override_labels)
        return GraphParts(supergraph, Planner(supergraph), labels)

    def refit(self, parts: GraphParts, settings: GatewaySettings) -> GraphParts:
        """Return the parts of the same supergraph under other settings.

        Raises:
            ConfigError: the settings name a field that it lacks.
        """
        check_named_fields(parts.supergraph, settings)
        return replace(parts, overrides=OverrideLabels(parts.supergraph, settings.traffic.override_labels))

    def transports(self, supergraph: Supergraph, generation: Generation) -> TransportRegistry:
        """Return a way to each subgraph.

        Raises:
            ConfigError: the settings name a subgraph that the supergraph lacks, or a subgraph has no address.
        """
        return build_transports(supergraph, generation, self._pools, self.upstream)

    def watch(self, supergraph: Supergraph, generation: Generation) -> None:
        """Probe the subgraphs that are served from now on, where the settings want it."""
        self.upstream.health.watch(probe_targets(supergraph, generation, self._pools))

    async def aclose(self) -> None:
        """Close the transports that were given."""
        await self._pools.aclose()
