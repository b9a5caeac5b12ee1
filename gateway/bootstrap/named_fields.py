"""Fields that settings name; one that the supergraph lacks would leave undone what it was named for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphql.pyutils import suggestion_list

from gateway.config import GatewaySettings
from gateway.errors import ConfigError
from gateway.supergraph import Supergraph

__all__ = ["check_named_fields"]

_MAX_SHOWN = 5
"""Fields that a message offers instead; a graph may have hundreds."""


def check_named_fields(supergraph: Supergraph, settings: GatewaySettings) -> None:
    """Accept settings whose fields are all there.

    Raises:
        ConfigError: one is not.
    """
    public = settings.subscriptions.public_fields
    _check("subscriptions.public_fields", public, "subscription", _root_fields(supergraph, ["subscription"]))
    roots = _root_fields(supergraph, supergraph.root_types)
    for place, rule in enumerate(settings.rates.rules):
        _check(f"rates.rules.{place}.fields", rule.fields, "root field", roots)


def _root_fields(supergraph: Supergraph, kinds: Iterable[str]) -> list[str]:
    roots = (supergraph.root_types.get(kind, "") for kind in kinds)
    return [f"{root}.{field}" for root in roots if root in supergraph.types for field in supergraph.types[root].fields]


def _check(setting: str, named: Iterable[str], what: str, known: Sequence[str]) -> None:
    for name in named:
        if name not in known:
            near = ", ".join((suggestion_list(name, known) or known)[:_MAX_SHOWN]) or "none"
            raise ConfigError(f"{setting}: {name} is no {what} of the supergraph; it has {near}")
