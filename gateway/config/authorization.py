"""What happens to fields that a principal may not see."""

from __future__ import annotations

from typing import Literal

from gateway.config.section import Section

__all__ = ["AuthorizationSettings"]


class AuthorizationSettings(Section):
    """Enforcement of ``@authenticated``, ``@requiresScopes`` and ``@policy``."""

    mode: Literal["filter", "reject"] = "filter"
    """Answer closed fields with null and an error at their place, or refuse every operation that selects one."""
    dry_run: bool = False
    """Close nothing, and log which coordinates would be closed to whom; for introducing rules into a running graph."""
