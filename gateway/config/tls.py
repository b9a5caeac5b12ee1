"""Certificates: those that the gateway shows, and those that it believes."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from gateway.config.section import Section

__all__ = ["ServerTls", "SubgraphTls"]


class SubgraphTls(Section):
    """TLS to one subgraph. Its certificate is always checked; there is no setting that switches that off."""

    ca: Path | None = None
    """Certificates (PEM) of the authorities that are believed for this subgraph, and no others; without it those of the
    machine."""
    certificate: Path | None = None
    """The gateway's certificate (PEM), with those between it and its authority, for subgraphs that ask for one."""
    key: Path | None = None
    """Private key of ``certificate`` (PEM, not encrypted)."""
    server_name: str | None = None
    """Name that the subgraph's certificate is for, when it is not the host of the address."""

    @model_validator(mode="after")
    def _keep_pairs(self) -> SubgraphTls:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"{missing} is missing: certificate and key go together")
        return self


class ServerTls(Section):
    """TLS of the gateway's own address."""

    certificate: Path
    """The gateway's certificate (PEM), with those between it and its authority."""
    key: Path
    """Private key of ``certificate`` (PEM, not encrypted)."""
