"""Answers that are kept for a while."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.headers import HeaderName
from gateway.config.section import Duration, Section

__all__ = ["CacheSettings", "InvalidationSettings", "SubgraphCacheSettings"]


class InvalidationSettings(Section):
    """How others than clients tell what has changed."""

    key: str | None = Field(default=None, min_length=16, repr=False)
    """Secret that a request to ``path`` must show as ``authorization: Bearer``; from the environment. Without it no
    such request is taken."""
    path: str = Field(default="/cache/invalidate", pattern=r"^/[^?#]+$")
    """Where such requests are taken."""
    stream: str | None = Field(default=None, min_length=1)
    """Redis stream whose messages say in their field ``invalidate`` what has changed; every process follows it."""


class SubgraphCacheSettings(Section):
    """Whether and how long answers of one subgraph are kept."""

    enabled: bool = True
    """Keep what may be kept."""
    ttl: Duration | None = None
    """How long an answer is kept of which neither its ``Cache-Control`` nor ``@cacheControl`` says it."""
    scope: Literal["public", "private"] | None = None
    """``public`` where answers do not depend on who asks, unless they say so themselves; ``private`` keeps every
    answer for the principal who got it. Without it answers to credentials are private unless they say that they are
    public."""


class CacheSettings(Section):
    """Answers that are kept for a while. Nothing is kept that nobody gives a lifetime."""

    store: Literal["none", "memory", "redis"] = "none"
    """Where answers are kept: nowhere, per process, or in the Redis of the section ``redis`` for all processes."""
    subgraphs: dict[str, SubgraphCacheSettings] = Field(default_factory=dict)
    """Settings per subgraph, by its name in the supergraph."""
    vary: tuple[HeaderName, ...] | None = None
    """Headers of clients that make a difference to answers. Without it, all that are passed on to subgraphs.
    Credentials always make one, except to what is public."""
    answers: bool = False
    """Keep whole answers too, besides what they are made of."""
    tell_clients: bool = False
    """Tell clients, and what stands between, how long they may use an answer: ``Cache-Control`` and ``Age``."""
    read_own_writes: bool = True
    """After a mutation, let the principal who sent it find only what was fetched later, and nobody find the entities in
    its answer."""
    invalidation: InvalidationSettings = InvalidationSettings()
    """What invalidates besides the mutations of clients."""
    max_ttl: Duration = 24 * 3600.0
    """Longest time that anything is kept."""
    jitter: float = Field(default=0.0, ge=0, le=0.5)
    """Share of its lifetime by which an entry may end earlier, so that not all end at once."""
    max_entry_bytes: int = Field(default=256 * 1024, ge=1024)
    """Largest answer or entity that is kept."""
    max_entries: int = Field(default=100_000, ge=1)
    """Entries that a process keeps in memory; the least recently used ones go first."""
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)
    """Memory that these may take in a process."""
    timeout: Duration = 0.05
    """Time for one command in Redis; then the request goes on as if nothing were kept."""
