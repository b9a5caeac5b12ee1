"""The parts of a gateway that depend on the supergraph, made for the first one and for every later one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.bootstrap.transports import build_transports
from gateway.config import GatewaySettings
from gateway.errors import ConfigError
from gateway.planner import Planner
from gateway.policies.header_rules import HeaderRules
from gateway.server.overrides import OverrideLabels
from gateway.supergraph import Supergraph, parse_supergraph
from gateway.tracing import Tracing
from gateway.transport.base import SubgraphTransport
from gateway.transport.metered import MeteredTransport
from gateway.transport.registry import TransportRegistry
from gateway.transport.shared_streams import StreamCount

if TYPE_CHECKING:
    from gateway.policies.metrics import Metrics

__all__ = ["GraphBuilder", "GraphParts"]


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
        found = build_transports(supergraph, self.given, self.settings, self._headers, self.streams, self._tracing)
        metrics = self._metrics
        if metrics is not None:
            found = {name: MeteredTransport(name, transport, metrics.fetched) for name, transport in found.items()}
        return TransportRegistry(found)


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
