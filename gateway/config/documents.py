"""Documents that clients name instead of sending them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from gateway.config.section import Duration, Section

__all__ = ["AutomaticDocuments", "DocumentMode", "DocumentSettings", "TrustedDocuments"]

DocumentMode = Literal["optional", "logged", "required"]


class AutomaticDocuments(Section):
    """Documents that clients register themselves by their hash (Apollo's automatic persisted queries)."""

    enabled: bool = True
    """Accept them. They save bytes and protect from nothing."""
    store: Literal["memory", "redis"] = "memory"
    """Where they are kept: in this process, or also in the Redis of the section ``redis``, for all processes."""
    max_documents: int = Field(default=1000, ge=1)
    """Documents kept in this process, the least recently used go first; fewer where they have more than 4 KiB on
    average."""
    max_document_bytes: int = Field(default=64 * 1024, ge=1)
    """Larger documents run but are not kept."""
    lifetime: Duration = 24 * 3600.0
    """Time that Redis keeps a document after it was last registered."""


class TrustedDocuments(Section):
    """Documents that were registered when clients were built."""

    manifests: tuple[Path, ...] = Field(min_length=1)
    """Files: Apollo's persisted query manifests, or Relay's maps of id to text."""
    mode: DocumentMode = "optional"
    """What happens to a document that no manifest has: it runs, it runs and is logged, or it is refused."""
    clients: dict[str, DocumentMode] = Field(default_factory=dict)
    """Mode per client name, instead of ``mode``. Names are what clients say of themselves: a laxer mode for one is
    open to all."""
    require_id: bool = False
    """With ``required``: refuse the text of a registered document too; clients must send its id."""


class DocumentSettings(Section):
    """Persisted documents."""

    automatic: AutomaticDocuments = AutomaticDocuments()
    """Documents that clients register themselves."""
    trusted: TrustedDocuments | None = None
    """Documents that were registered when clients were built."""
