"""Where the supergraph comes from while the gateway runs."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from gateway.config.section import Duration, Section

__all__ = ["SupergraphSettings"]


class SupergraphSettings(Section):
    """The supergraph, and how a new one is noticed. A new one that cannot be served is logged and the old one stays."""

    file: Path | None = None
    """File with the supergraph; ``--supergraph`` on the command line comes before it."""
    url: str | None = Field(default=None, pattern=r"^https?://")
    """Address of the supergraph. Whoever can change it decides where requests go, so use https beyond this machine."""
    reload: bool = False
    """Serve a changed supergraph without a restart."""
    poll: Duration = 10.0
    """Time between two looks: at the time and size of the file, or at the address, which answers by ETag."""
    timeout: Duration = 10.0
    """Time for one download."""
    drain: Duration = 300.0
    """Time that operations and subscriptions which began with the old supergraph have to end."""

    @model_validator(mode="after")
    def _choose_one_source(self) -> SupergraphSettings:
        if self.file is not None and self.url is not None:
            raise ValueError("give either file or url")
        return self
