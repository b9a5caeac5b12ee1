"""Settings and the text of a supergraph -> a gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.bootstrap.endpoints import Doors
from gateway.bootstrap.gateway import Gateway
from gateway.bootstrap.generation import compile_settings
from gateway.bootstrap.graph import GraphBuilder
from gateway.config import GatewaySettings
from gateway.extensions.extension import Extension
from gateway.server.pipeline import Pipeline
from gateway.server.principal import Identity
from gateway.transport.base import SubgraphTransport

__all__ = ["build_gateway"]


def build_gateway(
    supergraph_sdl: str,
    transports: Mapping[str, SubgraphTransport] | None = None,
    settings: GatewaySettings | None = None,
    identity: Identity | None = None,
    extensions: Sequence[Extension] = (),
) -> Gateway:
    """Return a gateway for a supergraph document.

    Subgraphs without an entry in ``transports`` are reached at the url of the settings or of the supergraph. Without
    ``identity`` requests are anonymous, or the development principal of the settings. ``extensions`` come before those
    of the settings and stay when these change; they are opened when the gateway is entered or served.

    Raises:
        SupergraphError: the document cannot be served.
        ConfigError: the settings name a subgraph that the supergraph lacks, or a subgraph has no address; or an
            extension cannot be used.
    """
    settings = settings or GatewaySettings()
    builder = GraphBuilder(transports or {})
    parts = builder.parse(supergraph_sdl, settings)
    generation = compile_settings(settings, identity, given=extensions)
    registry = builder.transports(parts.supergraph, generation)
    pipeline = Pipeline(parts.supergraph, parts.planner, registry, generation.rules, parts.overrides)
    doors = Doors(pipeline, settings, builder.upstream)
    return Gateway(parts, registry, pipeline, doors, builder, generation, identity, extensions)
