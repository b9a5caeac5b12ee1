"""What the ways to all subgraphs share as long as the process runs, whatever supergraph and settings are served."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.transport.callback import Callbacks
from gateway.transport.health import SubgraphsHealth
from gateway.transport.shared_streams import StreamCount

__all__ = ["Upstream"]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Shared by the transports of one gateway.

    Attributes:
        streams: counts the subscriptions at subgraphs.
        callbacks: the subscriptions whose events subgraphs send.
        health: which subgraphs are there, as far as they are probed.
    """

    streams: StreamCount = field(default_factory=StreamCount)
    callbacks: Callbacks = field(default_factory=Callbacks)
    health: SubgraphsHealth = field(default_factory=SubgraphsHealth)
