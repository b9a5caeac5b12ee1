"""What composition has to say: every problem at once, each with a code, a coordinate and where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from graphql import SourceLocation
from graphql.language import Node

from gateway.composition.codes import Fault, Hint

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

    code: Fault | Hint
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


_Place = Node | SourceLocation | None


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
        self, code: Fault, message: str, *, coordinate: str | None = None, at: Iterable[tuple[str, _Place]] = ()
    ) -> None:
        """Add an error; ``at`` pairs subgraph names with the nodes at fault."""
        self._add(code, Severity.ERROR, message, coordinate, at)

    def hint(
        self, code: Hint, message: str, *, coordinate: str | None = None, at: Iterable[tuple[str, _Place]] = ()
    ) -> None:
        """Add a hint."""
        self._add(code, Severity.HINT, message, coordinate, at)

    def _add(
        self,
        code: Fault | Hint,
        severity: Severity,
        message: str,
        coordinate: str | None,
        at: Iterable[tuple[str, _Place]],
    ) -> None:
        places = list(at)
        locations = tuple(_located(subgraph, place) for subgraph, place in places)
        subgraphs = tuple(dict.fromkeys(subgraph for subgraph, _ in places))
        self._found.append(Diagnostic(code, severity, message, subgraphs, coordinate, tuple(filter(None, locations))))


def _located(subgraph: str, place: _Place) -> Location | None:
    if isinstance(place, SourceLocation):
        return Location(subgraph, place.line, place.column)
    if place is None or place.loc is None:
        return None
    start = place.loc.start_token
    description = getattr(place, "description", None)
    if description is not None and description.loc is not None:
        start = description.loc.end_token.next or start
    return Location(subgraph, start.line, start.column)
