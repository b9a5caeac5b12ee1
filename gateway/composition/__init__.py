"""Composition: subgraph SDL in, supergraph out, every problem at once."""

from gateway.composition.compose import Composition, compose, compose_or_raise
from gateway.composition.diagnostics import Diagnostic, Location, Severity
from gateway.composition.subgraph_set import SubgraphSource

__all__ = [
    "Composition",
    "Diagnostic",
    "Location",
    "Severity",
    "SubgraphSource",
    "compose",
    "compose_or_raise",
]
