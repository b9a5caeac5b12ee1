"""What ``@defer`` delivers after the first answer: which fields, at which places, and what a client gets of each.

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
from gateway.executor.shape import Composite, SchemaTypes, build_root, parse_type
from gateway.plan.nodes import FieldStep, Guard, ListStep, OutputField, Path, PathStep, TypeStep

__all__ = [
    "DeferredResult",
    "Delivered",
    "Patch",
    "Place",
    "compile_places",
    "complete_patch",
    "first_answer",
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
class DeferredResult:
    """One deferred fragment, delivered: a patch for each object that it was selected on, in answer order."""

    label: str | None
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where fields of a part begin: the way there in the merged data, and the shape of what is added."""

    path: Path
    target: Composite


class Delivered:
    """Everything that a client has so far; tells whether it has an object that a patch would add to."""

    def __init__(self) -> None:
        self._found: dict[ResponsePath, list[dict[str, Any]]] = {}

    def add(self, path: ResponsePath, data: dict[str, Any] | None) -> None:
        """Take note of delivered data at a path."""
        if data is not None:
            self._found.setdefault(path, []).append(data)

    def has_object(self, path: ResponsePath) -> bool:
        """Tell whether an object was delivered at a path; a null above it may have taken it away."""
        return any(
            isinstance(_walk(data, path[length:]), dict)
            for length in range(len(path) + 1)
            for data in self._found.get(path[:length], ())
        )


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
    near = [error for error in errors if _is_around(tuple(error["path"]), path)]
    data, found = complete_part(target, value, path, near)
    return Patch(path, data, [error for error in found if tuple(error["path"][: len(path)]) == path])


def _is_around(one: ResponsePath, other: ResponsePath) -> bool:
    return one[: len(other)] == other[: len(one)]


def with_other_errors(patches: list[Patch], errors: Iterable[dict[str, Any]]) -> list[Patch]:
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
            name, wrappers = parse_type(one.type)
            condition: tuple[PathStep, ...] = () if one.on is None else (TypeStep(one.on),)
            lists: tuple[PathStep, ...] = (ListStep(),) * wrappers.count("[")
            yield from _find_places(one.fields, part, name, (*path, *condition, FieldStep(one.source), *lists))


def _of_part(output: Iterable[OutputField], part: int) -> tuple[OutputField, ...]:
    return tuple(replace(one, fields=_of_part(one.fields, part)) for one in output if part in one.deferred)
