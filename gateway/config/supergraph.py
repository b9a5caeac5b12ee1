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
    directory: Path | None = None
    """Directory with the schema of each subgraph as ``<name>.graphql``, composed by the gateway; the addresses are
    ``subgraphs.<name>.url``. With ``reload`` it is composed again when a file comes, goes or changes."""
    reload: bool = False
    """Serve a changed supergraph without a restart, also one from ``--supergraph`` or ``--subgraphs``."""
    poll: Duration = 10.0
    """Time between two looks: at time and size of the files, or at the address, which answers by ETag. The signal
    SIGHUP looks at once, after it has read the settings anew."""
    timeout: Duration = 10.0
    """Time for one download."""
    drain: Duration = 300.0
    """Time that operations and subscriptions which began with the old supergraph or settings have to end."""

    @model_validator(mode="after")
    def _choose_one_source(self) -> SupergraphSettings:
        if sum(source is not None for source in (self.file, self.url, self.directory)) > 1:
            raise ValueError("give one of file, url and directory")
        return self
