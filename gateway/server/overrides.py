"""Which progressive overrides apply to a request.

A field with ``@override(label:)`` comes from its new subgraph where the label is on. ``percent(x)`` is on for that
share of all requests, by one draw for each request, so that a request which is in a small share is in every larger one
too. Any other label is on when the settings name it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from random import random

from gateway.supergraph import Supergraph

__all__ = ["OverrideLabels"]

_PERCENT = re.compile(r"^percent\((\d+(?:\.\d+)?)\)$")


class OverrideLabels:
    """The labels of one supergraph.

    Args:
        supergraph: whose fields have the labels.
        named: labels that are always on.
        draw: gives a number from 0 up to but without 1.
    """

    def __init__(self, supergraph: Supergraph, named: Iterable[str] = (), draw: Callable[[], float] = random) -> None:
        labels = {
            join.override_label
            for type_ in supergraph.types.values()
            for field in type_.fields.values()
            for join in field.joins.values()
            if join.override_label
        }
        self._shares = {label: float(match[1]) / 100 for label in labels if (match := _PERCENT.match(label))}
        self._named = frozenset(labels) & frozenset(named)
        self._draw = draw

    def active(self) -> frozenset[str]:
        """Return the labels that are on for a request that starts now."""
        if not self._shares:
            return self._named
        drawn = self._draw()
        return self._named.union(label for label, share in self._shares.items() if drawn < share)
