"""Walk the merged data: collect the objects at a plan path, and tell their client paths when an error needs them.

The common walk knows no positions: they are only wanted for errors, and then the tree is walked once more. Both walks
visit the same objects in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.plan.nodes import FieldStep, ListStep, OutputField, Path, TypeStep

__all__ = ["Collector", "ResponsePath", "compile_collector", "to_client_path", "trace"]

ResponsePath = tuple[str | int, ...]
Collector = Callable[[dict[str, Any]], list[dict[str, Any]]]
_Step = Callable[[list[Any]], list[Any]]


def compile_collector(path: Path, shared_below: frozenset[Path] = frozenset()) -> Collector:
    """Return a function from the root object to the objects at ``path``.

    The objects come in document order, each once even if the tree refers to it from several places; nulls and values
    of another kind are left out. Below the paths in ``shared_below`` the tree may refer to an object several times.
    """
    steps: list[_Step] = []
    at = 0
    is_shared = False
    while at < len(path):
        is_shared = is_shared or path[:at] in shared_below
        step, following = path[at], path[at + 1 : at + 2]
        if isinstance(step, FieldStep) and following == (_LIST,):
            steps.append(_items(step.key, is_shared=is_shared))
            at += 2
        else:
            steps.append(_compile_step(step))
            at += 1

    def collect(root: dict[str, Any]) -> list[dict[str, Any]]:
        values: list[Any] = [root]
        for step in steps:
            values = step(values)
        if is_shared:
            return list({id(value): value for value in values if value.__class__ is dict}.values())
        return [value for value in values if value.__class__ is dict]

    return collect


_LIST = ListStep()


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


def _compile_step(step: FieldStep | ListStep | TypeStep) -> _Step:
    match step:
        case FieldStep(key):
            return lambda values: [
                found for value in values if value.__class__ is dict and (found := value.get(key)) is not None
            ]
        case ListStep():
            return _flatten
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
