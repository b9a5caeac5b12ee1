"""Subscriptions whose events subgraphs send by requests of their own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.section import Duration, Section

__all__ = ["CallbackSettings"]


class CallbackSettings(Section):
    """Subscriptions whose events subgraphs send by requests of their own, see ``subgraphs.<name>.subscriptions``."""

    public_url: str = Field(pattern=r"^https?://[^?#]+$")
    """Address of ``path`` as subgraphs reach it, such as ``http://gateway:4000/callback``."""
    path: str = Field(default="/callback", pattern=r"^(/[^/?#{}]+)+$")
    """Path on which the server takes events; what a subgraph calls has two more parts, which nobody can guess."""
    heartbeat: Duration = 5.0
    """How often a subgraph has to say that it is still there. One that is silent for twice as long has broken off."""
    relay: Literal["none", "redis"] = "none"
    """How an event that reaches another process than the one it is for gets there: not at all, which suits one process
    per ``public_url``; or through the Redis of the section ``redis``, which is needed with several workers."""
