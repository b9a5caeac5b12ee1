"""What is placed: a field, at a position of the merged data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.operation.document import SelectedField
from gateway.plan.nodes import Guard
from gateway.planner.steps import Position, Step

__all__ = ["PlaceField", "Placement"]


@dataclass(eq=False, slots=True)
class Placement:
    """A field to fetch for the objects of a position.

    Attributes:
        key: internal key under which its value will lie.
        guards: what must hold for the value to be needed, on the whole way from the root.
        own: the part of it that is written at the field itself.
    """

    position: Position
    field: SelectedField
    key: str
    guards: tuple[Guard, ...]
    own: tuple[Guard, ...] = ()


class PlaceField(Protocol):
    """Fetches fields from wherever that is best."""

    def __call__(self, placement: Placement, *, only: str | None = None, latest: int | None = None) -> set[Step]:
        """Place a field for every type that it is selected on and return the steps that answer it.

        ``only`` is the subgraph to take it from, ``latest`` the last stage in which it should be at hand.
        """
