"""What comes after the first answer: which fields of a ``@defer``, at which places, and what a client gets of each.

The plan's output marks each field with the deferred parts that deliver it. A part's *places* are where its fields
begin: the positions whose object belongs to an earlier delivery. One place stands for many objects when there are lists
above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.executor.completion import MAX_ERRORS, complete_part
from gateway.executor.paths import ResponsePath
from gateway.executor.result import Pending
from gateway.executor.shape import Composite, SchemaTypes, build_root, parse_type
from gateway.plan.nodes import FieldStep, Guard, ListStep, OutputField, Path, PathStep, TypeStep

__all__ = [
    "DeferredResult",
    "Delivered",
    "Patch",
    "Place",
    "StreamedItems",
    "compile_places",
    "complete_patch",
    "first_answer",
    "is_around",
    "of_home",
    "path_below",
    "with_other_errors",
]


@dataclass(frozen=True, slots=True)
class Patch:
    """Fields that belong to one object of an earlier delivery.

    Attributes:
        path: response keys and list indices from the root of the answer to the object.
        data: the fields; None when null reached the object, which then keeps what it has.
        errors: GraphQL errors of these fields; their paths start at the root of the answer.
    """

    path: ResponsePath
    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StreamedItems:
    """The later items of one list.

    Attributes:
        path: response keys and list indices from the root of the answer to the list.
        start: index of the first of them.
        items: the items; without those that come no more when ``is_cut``.
        errors: GraphQL errors of these items; their paths start at the root of the answer.
        is_cut: null reached the list, which then keeps what it has.
    """

    path: ResponsePath
    start: int
    items: list[Any]
    errors: list[dict[str, Any]] = field(default_factory=list)
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class DeferredResult:
    """One part, delivered: a patch for each object of a fragment, or the items of each list.

    Attributes:
        part: index of the part in the plan.
        patches: one for each place of the part that was announced, in the same order.
        pending: places of other parts that can be announced from now on.
    """

    label: str | None
    part: int
    patches: tuple[Patch | StreamedItems, ...]
    pending: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where fields of a part begin: the way there in the merged data, and the shape of what is added."""

    path: Path
    target: Composite


class Delivered:
    """Everything that a client has so far; tells whether it has an object or list that a part would add to."""

    def __init__(self) -> None:
        self._found: dict[ResponsePath, list[Any]] = {}

    def add(self, path: ResponsePath, data: Any) -> None:
        """Take note of delivered data at a path."""
        if data is not None:
            self._found.setdefault(path, []).append(data)

    def add_part(self, patch: Patch | StreamedItems) -> None:
        """Take note of what a part added."""
        if isinstance(patch, Patch):
            self.add(patch.path, patch.data)
            return
        for index, item in enumerate(patch.items, patch.start):
            self.add((*patch.path, index), item)

    def has_object(self, path: ResponsePath) -> bool:
        """Tell whether an object was delivered at a path; a null above it may have taken it away."""
        return any(isinstance(value, dict) for value in self._values(path))

    def has_list(self, path: ResponsePath) -> bool:
        """Tell whether a list was delivered at a path, whole or with its first items."""
        return any(isinstance(value, list) for value in self._values(path))

    def _values(self, path: ResponsePath) -> Iterator[Any]:
        for length in range(len(path) + 1):
            for data in self._found.get(path[:length], ()):
                yield _walk(data, path[length:])


def _walk(value: Any, path: ResponsePath) -> Any:
    for part in path:
        if isinstance(part, int):
            if not isinstance(value, list) or part >= len(value):
                return None
            value = value[part]
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def complete_patch(
    target: Composite, value: dict[str, Any], path: ResponsePath, errors: Iterable[dict[str, Any]]
) -> Patch:
    """Shape the fields that are added to an object; the patch carries the errors that stand at or below it."""
    near = [error for error in errors if is_around(tuple(error["path"]), path)]
    data, found = complete_part(target, value, path, near)
    return Patch(path, data, [error for error in found if tuple(error["path"][: len(path)]) == path])


def is_around(one: ResponsePath, other: ResponsePath) -> bool:
    """Tell whether one path leads to the other, or the other way round."""
    return one[: len(other)] == other[: len(one)]


def with_other_errors(
    patches: list[Patch | StreamedItems], errors: Iterable[dict[str, Any]]
) -> list[Patch | StreamedItems]:
    """Return the patches, the first with the errors that stand above all objects, such as that of a whole fetch."""
    told = {id(error) for patch in patches for error in patch.errors}
    others = [error for error in errors if id(error) not in told]
    if not patches or not others:
        return patches
    return [replace(patches[0], errors=[*others, *patches[0].errors][:MAX_ERRORS]), *patches[1:]]


def first_answer(output: Iterable[OutputField]) -> tuple[OutputField, ...]:
    """Return the output without what is deferred."""
    return tuple(replace(one, fields=first_answer(one.fields)) for one in output if not one.deferred)


def compile_places(
    output: tuple[OutputField, ...], part: int, root_type: str, types: SchemaTypes, holds: Callable[[Guard], bool]
) -> tuple[Place, ...]:
    """Return the places of a part for one set of guard values."""
    return tuple(
        Place(path, build_root(fields, type_name, types, holds))
        for path, type_name, fields in _find_places(output, part, root_type, ())
    )


def _find_places(
    output: tuple[OutputField, ...], part: int, type_name: str, path: Path
) -> Iterator[tuple[Path, str, tuple[OutputField, ...]]]:
    own = _of_part(output, part)
    if own:
        yield path, type_name, own
    for one in output:
        if part not in one.deferred and one.fields:
            yield from _find_places(one.fields, part, parse_type(one.type)[0], path_below(path, one))


def path_below(path: Path, one: OutputField) -> Path:
    """Return the path to the objects of a field of the objects at ``path``."""
    condition: tuple[PathStep, ...] = () if one.on is None else (TypeStep(one.on),)
    lists: tuple[PathStep, ...] = (ListStep(),) * parse_type(one.type)[1].count("[")
    return (*path, *condition, FieldStep(one.source), *lists)


def of_home(output: Iterable[OutputField], part: int | None) -> tuple[OutputField, ...]:
    """Return what a part delivers of the output below a field that it delivers; None is the first answer."""
    return first_answer(output) if part is None else _of_part(output, part)


def _of_part(output: Iterable[OutputField], part: int) -> tuple[OutputField, ...]:
    return tuple(replace(one, fields=_of_part(one.fields, part)) for one in output if part in one.deferred)
