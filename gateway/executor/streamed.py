"""What ``@stream`` delivers after the first items of a list: where the list is, and whose errors are whose.

The first items belong to the part of the answer that has the list, its *home*; the later ones are a part of their own.
What a subgraph reports about later items goes with these, though the fetch that learns of it may be of the home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.executor.completion import complete_items
from gateway.executor.deferred import StreamedItems, is_around, of_home, path_below
from gateway.executor.paths import ResponsePath
from gateway.executor.shape import Composite, SchemaTypes, build_root, parse_type
from gateway.plan.nodes import DeferredPart, Guard, OutputField, Path, QueryPlan

__all__ = ["ErrorRoutes", "ListPlace", "compile_list_places", "complete_stream"]


@dataclass(frozen=True, slots=True, eq=False)
class ListPlace:
    """Where a streamed list is: the way to the objects that have it, and the list as their only field.

    Attributes:
        key: response key of the list.
        source: its internal key in the merged data.
        start: index of the first item that comes later.
    """

    path: Path
    target: Composite
    key: str
    source: str
    start: int

    def has_later_items(self, item: dict[str, Any]) -> bool:
        """Tell whether the list of an object has more than its first items."""
        found = item.get(self.source)
        return isinstance(found, list) and len(found) > self.start


def compile_list_places(
    output: tuple[OutputField, ...], part: int, root_type: str, types: SchemaTypes, holds: Callable[[Guard], bool]
) -> tuple[ListPlace, ...]:
    """Return the places of a part that delivers later items, for one set of guard values."""
    return tuple(
        ListPlace(path, build_root((one,), type_name, types, holds), one.key, one.source, start)
        for path, type_name, one, start in _find(output, part, root_type, ())
    )


def _find(
    output: Iterable[OutputField], part: int, type_name: str, path: Path
) -> Iterator[tuple[Path, str, OutputField, int]]:
    for one in output:
        if one.stream is not None and one.stream.part == part:
            home = next(iter(one.deferred), None)
            plain = replace(one, fields=of_home(one.fields, home), deferred=(), stream=None)
            yield path, type_name, plain, one.stream.initial_count
        elif one.fields:
            yield from _find(one.fields, part, parse_type(one.type)[0], path_below(path, one))


def complete_stream(
    place: ListPlace, value: dict[str, Any], path: ResponsePath, errors: Iterable[dict[str, Any]]
) -> StreamedItems:
    """Shape the later items of the list at ``path``."""
    near = [error for error in errors if is_around(tuple(error["path"]), path)]
    found = complete_items(place.target, value, place.start, path, near)
    if found is None:
        return StreamedItems(path, place.start, [])
    items, is_cut, told = found
    own = [error for error in told if tuple(error["path"][: len(path)]) == path]
    return StreamedItems(path, place.start, items, own, is_cut=is_cut)


class ErrorRoutes:
    """Tells in which part of the answer an error belongs, when a list on its way is streamed."""

    def __init__(self, plan: QueryPlan) -> None:
        self._output = plan.output
        self._parts: Sequence[DeferredPart] = plan.deferred
        self._homes: dict[int, int | None] = {}
        self._note_homes(plan.output)

    def _note_homes(self, output: Iterable[OutputField]) -> None:
        for one in output:
            if one.stream is not None:
                self._homes[one.stream.part] = next(iter(one.deferred), None)
            self._note_homes(one.fields)

    def part_of(self, path: Sequence[str | int], part: int | None) -> int | None:
        """Return the part of an error at a client's path that a fetch of ``part`` reported."""
        home = self._homes.get(part, part) if part is not None else None
        found = part
        fields: Iterable[OutputField] = self._output
        for position, key in enumerate(path):
            if isinstance(key, int):
                continue
            matching = [one for one in fields if one.key == key]
            index = path[position + 1] if position + 1 < len(path) else None
            for one in matching:
                stream = one.stream
                is_later = stream is not None and isinstance(index, int) and index >= stream.initial_count
                if stream is not None and is_later and self._homes[stream.part] == home:
                    found = stream.part
            fields = [child for one in matching for child in one.fields]
        return found
