"""Walk the merged data: collect the objects at a plan path, and tell their client paths when an error needs them.

The common walk knows no positions: they are only wanted for errors, and then the tree is walked once more. Both walks
visit the same objects in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.plan.nodes import FieldStep, ListStep, OutputField, Path, PathStep, SliceStep, TypeStep

__all__ = ["Collector", "ResponsePath", "compile_collectors", "to_client_path", "trace", "whole"]

ResponsePath = tuple[str | int, ...]
_Step = Callable[[list[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class Collector:
    """A compiled walk to the objects at one path.

    Attributes:
        start: prefix of the path whose values another walk of the same batch left behind; empty starts at the root.
        steps: what to do from there, each with the prefix under which its values are kept for other walks.
        is_shared: the tree may refer to an object at the path several times.
    """

    start: Path
    steps: tuple[tuple[_Step, Path], ...]
    is_shared: bool

    def collect(self, walked: dict[Path, list[Any]]) -> list[dict[str, Any]]:
        """Return the objects in document order, each once; nulls and values of another kind are left out.

        ``walked`` has the values at the prefixes walked so far, at first those of the empty path: the root. The data
        must not change while it is in use.
        """
        values = walked[self.start]
        for step, prefix in self.steps:
            values = walked[prefix] = step(values)
        if self.is_shared:
            return list({id(value): value for value in values if value.__class__ is dict}.values())
        return [value for value in values if value.__class__ is dict]


def compile_collectors(paths: Sequence[Path], shared_below: frozenset[Path] = frozenset()) -> list[Collector]:
    """Return the walks to several paths, to be made one after another; a prefix that they share is walked once.

    Below the paths in ``shared_below``, which know no slices, the tree may refer to an object several times.
    """
    known: set[Path] = {()}
    return [_compile_collector(path, shared_below, known) for path in paths]


def _compile_collector(path: Path, shared_below: frozenset[Path], known: set[Path]) -> Collector:
    start: Path = ()
    steps: list[tuple[_Step, Path]] = []
    at = 0
    is_shared = False
    while at < len(path):
        is_shared = is_shared or whole(path[:at]) in shared_below
        step = path[at]
        if isinstance(step, FieldStep) and path[at + 1 : at + 2] == (_LIST,):
            walk = _items(step.key, is_shared=is_shared)
            at += 2
        else:
            walk = _compile_step(step)
            at += 1
        if path[:at] in known:
            start, steps = path[:at], []
        else:
            steps.append((walk, path[:at]))
            known.add(path[:at])
    return Collector(start, tuple(steps), is_shared)


_LIST = ListStep()


def whole(path: Path) -> Path:
    """Return a path to all items of the lists on the way, whatever it takes of them."""
    return tuple([_LIST if isinstance(step, SliceStep) else step for step in path])


def _items(key: str, *, is_shared: bool) -> _Step:
    """Open the list under a key; a list that is shared by several objects is opened once."""
    if is_shared:
        return lambda values: _flatten([value.get(key) for value in values if value.__class__ is dict])
    return lambda values: [
        item
        for value in values
        if value.__class__ is dict and (items := value.get(key)).__class__ is list
        for item in items
    ]


def _compile_step(step: PathStep) -> _Step:
    match step:
        case FieldStep(key):
            return lambda values: [
                found for value in values if value.__class__ is dict and (found := value.get(key)) is not None
            ]
        case ListStep():
            return _flatten
        case SliceStep(start, stop):
            return lambda values: _take(values, start, stop)
        case TypeStep(types):
            return lambda values: [
                value for value in values if value.__class__ is dict and value.get("__typename") in types
            ]


def _flatten(values: list[Any]) -> list[Any]:
    """Open one list level, each list once."""
    if len(values) == 1:
        return values[0] if values[0].__class__ is list else []
    lists = {id(value): value for value in values if value.__class__ is list}
    return [item for items in lists.values() for item in items]


def _take(values: list[Any], start: int, stop: int | None) -> list[Any]:
    """Open one list level, each list once, and take some of the items."""
    lists = {id(value): value for value in values if value.__class__ is list}
    return [item for items in lists.values() for item in items[start:stop]]


def trace(root: dict[str, Any], path: Path) -> Iterator[tuple[dict[str, Any], ResponsePath]]:
    """Yield every object at ``path`` with its position in the merged data (internal keys), duplicates included."""
    yield from _trace(root, path, ())


def _trace(value: Any, path: Sequence[Any], position: ResponsePath) -> Iterator[tuple[dict[str, Any], ResponsePath]]:
    if not path:
        if isinstance(value, dict):
            yield value, position
        return
    step, rest = path[0], path[1:]
    match step:
        case FieldStep(key) if isinstance(value, dict):
            yield from _trace(value.get(key), rest, (*position, key))
        case ListStep() if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _trace(item, rest, (*position, index))
        case SliceStep(start, stop) if isinstance(value, list):
            for index, item in enumerate(value[start:stop], start):
                yield from _trace(item, rest, (*position, index))
        case TypeStep(types) if isinstance(value, dict) and value.get("__typename") in types:
            yield from _trace(value, rest, position)


def to_client_path(position: Sequence[str | int], output: tuple[OutputField, ...]) -> ResponsePath:
    """Translate a position in the merged data into the client's response keys.

    Returns:
        The path up to the first internal key that the client did not ask for; the error then belongs to the object
        that needed it.
    """
    found: list[str | int] = []
    fields = output
    for part in position:
        if isinstance(part, int):
            found.append(part)
            continue
        matching = [field for field in fields if field.source == part]
        if not matching:
            break
        found.append(matching[0].key)
        fields = tuple(child for field in matching for child in field.fields)
    return tuple(found)
