"""Mutations with a key of the client's, by which a second attempt is known."""

from __future__ import annotations

from gateway.config.section import Section

__all__ = ["IdempotencySettings"]


class IdempotencySettings(Section):
    """Mutations whose fields the supergraph marks with ``@idempotent(key:)``."""

    header: bool = True
    """Read the header ``Idempotency-Key``: it gives the key that the arguments leave out, and a second request with the
    same key is refused while the first is under way."""
    retry: bool = True
    """Send such mutations again as queries are, by ``traffic.retry``; the subgraph knows the second by its key."""
