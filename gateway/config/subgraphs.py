"""How single subgraphs are reached."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.section import Duration, Section
from gateway.config.tls import SubgraphTls

__all__ = ["SubgraphHealth", "SubgraphSettings"]


class SubgraphHealth(Section):
    """Probes of one subgraph, told by ``/health/ready`` and in the metrics."""

    path: str | None = Field(default=None, pattern=r"^/[^#\s]*$")
    """Path that answers with a status from 200 to 299; without it the query ``{ __typename }`` is asked."""
    interval: Duration = 10.0
    """Pause from one probe to the next."""
    timeout: Duration = 2.0
    """Time for one probe."""
    required: bool = False
    """Not be ready while this subgraph is not up. Without it the gateway stays ready, since it can answer in part."""


class SubgraphSettings(Section):
    """How one subgraph is reached."""

    url: str | None = Field(default=None, pattern=r"^https?://")
    """Address; overrides the one in the supergraph."""
    subscriptions: Literal["graphql-transport-ws", "sse", "multipart", "callback", "none"] = "graphql-transport-ws"
    """Protocol of subscriptions; ``callback`` needs the section ``callback``."""
    subscriptions_url: str | None = Field(default=None, pattern=r"^(https?|wss?)://")
    """Address of subscriptions when it is another one."""
    tls: SubgraphTls | None = None
    """Certificates, for addresses with ``https``; without it the subgraph is believed by those of the machine."""
    health: SubgraphHealth | None = None
    """Probes; none without it."""
    timeout: Duration | None = None
    """Time for one answer; overrides ``traffic.timeout``."""
