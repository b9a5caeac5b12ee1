"""What composition has to say: every problem at once, each with a code, a coordinate and where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from graphql.language import Node

__all__ = ["Diagnostic", "Diagnostics", "Location", "Severity"]


class Severity(StrEnum):
    """Whether the subgraphs can still be composed."""

    ERROR = "ERROR"
    HINT = "HINT"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a subgraph's SDL, counted from 1."""

    subgraph: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: code of the federation documentation.
        subgraphs: names of the subgraphs concerned.
        coordinate: schema coordinate such as ``Product.price``, None when it concerns a whole subgraph.
    """

    code: str
    severity: Severity
    message: str
    subgraphs: tuple[str, ...]
    coordinate: str | None
    locations: tuple[Location, ...]

    def __str__(self) -> str:
        places = ", ".join(f"{one.subgraph}:{one.line}:{one.column}" for one in self.locations)
        return f"{self.severity.lower()} {self.code}: {self.message}" + (f"\n    at {places}" if places else "")

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return {
            "code": self.code,
            "message": self.message,
            "subgraphs": list(self.subgraphs),
            "coordinate": self.coordinate,
            "locations": [{"subgraph": one.subgraph, "line": one.line, "column": one.column} for one in self.locations],
        }


class Diagnostics:
    """Collects findings of all phases."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Errors by coordinate, then code."""
        return self._sorted(Severity.ERROR)

    @property
    def hints(self) -> tuple[Diagnostic, ...]:
        """Hints by coordinate, then code."""
        return self._sorted(Severity.HINT)

    def _sorted(self, severity: Severity) -> tuple[Diagnostic, ...]:
        found = dict.fromkeys(item for item in self._found if item.severity is severity)
        return tuple(sorted(found, key=lambda item: (item.coordinate or "", item.code, item.message)))

    def error(
        self, code: str, message: str, *, coordinate: str | None = None, at: Iterable[tuple[str, Node | None]] = ()
    ) -> None:
        """Add an error; ``at`` pairs subgraph names with the nodes at fault."""
        self._add(code, Severity.ERROR, message, coordinate, at)

    def hint(
        self, code: str, message: str, *, coordinate: str | None = None, at: Iterable[tuple[str, Node | None]] = ()
    ) -> None:
        """Add a hint."""
        self._add(code, Severity.HINT, message, coordinate, at)

    def _add(
        self,
        code: str,
        severity: Severity,
        message: str,
        coordinate: str | None,
        at: Iterable[tuple[str, Node | None]],
    ) -> None:
        places = list(at)
        locations = tuple(
            Location(subgraph, node.loc.start_token.line, node.loc.start_token.column)
            for subgraph, node in places
            if node is not None and node.loc is not None
        )
        subgraphs = tuple(dict.fromkeys(subgraph for subgraph, _ in places))
        self._found.append(Diagnostic(code, severity, message, subgraphs, coordinate, locations))
