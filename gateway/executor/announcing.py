"""Announce where later parts will add something, as soon as the client has the objects and lists that they add to.

A part is announced after the fragments that it stands in. A streamed list is no such fragment: a fragment in its items
is announced for the first ones at once, and for the later ones when they are there.

What is announced is what is delivered: each place keeps its object until the part is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.executor.deferred import Delivered, Place
from gateway.executor.paths import ResponsePath, to_client_path, trace
from gateway.executor.result import Pending
from gateway.executor.streamed import ListPlace
from gateway.plan.nodes import QueryPlan

__all__ = ["Announced", "Announcer"]


@dataclass(frozen=True, slots=True)
class Announced:
    """One object or list that a part adds to: where it begins in the plan, in the merged data and for the client."""

    place: Place | ListPlace
    item: dict[str, Any]
    path: ResponsePath


class Announcer:
    """The places of one answer that are announced and not filled yet.

    Args:
        places: for each part, where its fields or items belong.
    """

    def __init__(self, plan: QueryPlan, places: Sequence[Sequence[Place | ListPlace]]) -> None:
        self._plan = plan
        self._places = places
        self._open: list[dict[tuple[int, ResponsePath], Announced]] = [{} for _ in places]
        self._delivered: set[int] = set()

    def take(self, part: int) -> list[Announced]:
        """Return what was announced of a part that is complete, and expect no more of it."""
        self._delivered.add(part)
        found = list(self._open[part].values())
        self._open[part] = {}
        return found

    def after(self, part: int | None, data: dict[str, Any], delivered: Delivered) -> tuple[Pending, ...]:
        """Return what a client can be told to wait for since it has a part, None for the first answer."""
        return tuple(
            Pending(other, one.path, self._plan.deferred[other].label)
            for other in range(len(self._places))
            if other not in self._delivered and self._may_begin(other, part)
            for one in self._announce(other, data, delivered)
        )

    def _may_begin(self, part: int, after: int | None) -> bool:
        """Tell whether the fragments around a part are delivered, of which ``after`` is one or an answer around it."""
        around = self._plan.deferred[part].parent
        is_below = after is None
        while around is not None:
            is_below = is_below or around == after
            is_fragment = self._plan.deferred[around].initial_count is None
            if is_fragment and self._places[around] and around not in self._delivered:
                return False
            around = self._plan.deferred[around].parent
        return is_below

    def _announce(self, part: int, data: dict[str, Any], delivered: Delivered) -> Iterator[Announced]:
        known = self._open[part]
        for number, place in enumerate(self._places[part]):
            for item, position in trace(data, place.path):
                path = to_client_path(position, self._plan.output)
                if isinstance(place, ListPlace):
                    path = (*path, place.key)
                    is_there = delivered.has_list(path) and place.has_later_items(item)
                else:
                    is_there = delivered.has_object(path)
                if is_there and (number, path) not in known:
                    known[number, path] = Announced(place, item, path)
                    yield known[number, path]
