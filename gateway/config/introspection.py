"""Who may ask for the schema."""

from __future__ import annotations

from gateway.config.section import Section

__all__ = ["IntrospectionSettings"]


class IntrospectionSettings(Section):
    """Who may ask for the schema by ``__schema`` and ``__type``."""

    enabled: bool = True
    """Answer introspection at all. What the graph is made of is then public to whoever may ask."""
    required_scopes: tuple[str, ...] = ()
    """Scopes that a principal must hold for it, all of them; empty lets everybody ask."""
