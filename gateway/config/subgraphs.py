"""How single subgraphs are reached."""

from __future__ import annotations

from typing import Literal

from gateway.config.section import Duration, Section
from gateway.config.tls import SubgraphTls

__all__ = ["SubgraphSettings"]


class SubgraphSettings(Section):
    """How one subgraph is reached."""

    url: str | None = None
    """Address; overrides the one in the supergraph."""
    subscriptions: Literal["graphql-transport-ws", "sse", "multipart", "callback", "none"] = "graphql-transport-ws"
    """Protocol of subscriptions; ``callback`` needs the section ``callback``."""
    subscriptions_url: str | None = None
    """Address of subscriptions when it is another one."""
    tls: SubgraphTls | None = None
    """Certificates, for addresses with ``https``; without it the subgraph is believed by those of the machine."""
    timeout: Duration | None = None
    """Time for one answer; overrides ``traffic.timeout``."""
