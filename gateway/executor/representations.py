"""Build the representations of one ``_entities`` call.

1. Collect the objects of each target.
2. Give each object an identity: the values that would be sent. Equal identities share one representation, across all
   targets of the call.
3. Build a representation for each new identity only.

Invariant: ``slots[t][i]`` is the index of the representation of ``objects[t][i]``, -1 for objects left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import orjson

from gateway.executor.paths import Collector, compile_collectors, whole
from gateway.plan.nodes import (
    EntityCall,
    EntityTarget,
    Path,
    Representation,
    RequiredField,
    RequiredFragment,
    RequiredSelection,
)

__all__ = ["CompiledCall", "EntityBatch", "compile_call"]

Slot = Callable[[dict[str, Any], dict[Any, int], list[dict[str, Any]]], int]
"""(object, identity -> slot, representations so far) -> slot of the object; raises KeyError when a value is missing."""
Slots = Callable[[list[dict[str, Any]], dict[Any, int], list[dict[str, Any]]], list[int]]
"""The same for all objects of a target; -1 for objects left out."""

_Copy = Callable[[dict[str, Any], dict[str, Any]], None]


@dataclass(slots=True)
class EntityBatch:
    """The representations of one call and where each answer goes; one request's own."""

    representations: list[dict[str, Any]]
    objects: list[list[dict[str, Any]]]
    slots: list[list[int]]


@dataclass(frozen=True, slots=True)
class CompiledTarget:
    """A target with its walk and what makes its representations.

    Attributes:
        copies: entities are kept apart from those of other targets.
        unshared: objects that stand for one entity get copies of it, because what is below depends on what is around.
    """

    path: Path
    collector: Collector
    slots: Slots
    copies: bool
    unshared: bool = False


@dataclass(frozen=True, slots=True)
class CompiledCall:
    """An entity call ready to run."""

    key: str
    variable: str
    targets: tuple[CompiledTarget, ...]

    def build(self, root: dict[str, Any]) -> EntityBatch:
        """Return the batch for the data merged so far; empty ``representations`` when there is nothing to ask."""
        representations: list[dict[str, Any]] = []
        index: dict[Any, int] = {}
        all_objects: list[list[dict[str, Any]]] = []
        all_slots: list[list[int]] = []
        walked: dict[Path, list[Any]] = {(): [root]}
        for target in self.targets:
            objects = target.collector.collect(walked)
            all_objects.append(objects)
            all_slots.append(target.slots(objects, index, representations))
        return EntityBatch(representations, all_objects, all_slots)


def compile_call(call: EntityCall, written_paths: frozenset[Path], split_paths: frozenset[Path]) -> CompiledCall:
    """Compile one call of a plan whose targets are at ``written_paths``; data is merged below them while it runs.

    Entities at ``split_paths`` are not shared by the objects that stand for them.
    """
    several = len(call.targets) > 1
    collectors = compile_collectors([target.path for target in call.targets], written_paths)
    targets = tuple(
        CompiledTarget(
            target.path,
            collector,
            _compile_slots(target),
            copies=several and _is_written_below(whole(target.path), written_paths),
            unshared=whole(target.path) in split_paths,
        )
        for target, collector in zip(call.targets, collectors, strict=True)
    )
    return CompiledCall(call.key, call.variable, targets)


def _is_written_below(path: Path, written_paths: frozenset[Path]) -> bool:
    """Tell whether fetches write into objects nested in the entities at ``path``.

    Two targets may then ask for different values under the same key, so they must not share these objects. Objects
    of one target may: whatever is written for one of them is written for all.
    """
    return any(len(other) > len(path) and other[: len(path)] == path for other in written_paths)


def _compile_slots(target: EntityTarget) -> Slots:
    by_type: dict[str, Slot] = {}
    for representation in target.representations:
        for name in representation.types:
            by_type.setdefault(name, _compile_slot(representation, representation.typename or name))

    def slots(objects: list[dict[str, Any]], index: dict[Any, int], representations: list[dict[str, Any]]) -> list[int]:
        found: list[int] = []
        for item in objects:
            try:
                found.append(by_type[item["__typename"]](item, index, representations))
            except (KeyError, TypeError):
                found.append(-1)
        return found

    return slots


def _compile_slot(representation: Representation, typename: str) -> Slot:
    fields = [item for item in representation.selections if isinstance(item, RequiredField) and not item.selections]
    if len(fields) != len(representation.selections):
        return _compile_nested(representation.selections, typename)
    if len(fields) == 1:
        return _compile_single(fields[0], typename)
    return _compile_flat(fields, typename)


def _compile_single(field: RequiredField, typename: str) -> Slot:
    name, source = field.name, field.source
    signature = f"{typename}({name})"

    def slot(item: dict[str, Any], index: dict[Any, int], representations: list[dict[str, Any]]) -> int:
        value = item[source]
        if value.__class__ is str:
            identity: Any = (signature, value)
            found = index.get(identity)
            if found is not None:
                return found
            return _add({"__typename": typename, name: value}, identity, index, representations)
        if value is None:
            return -1
        representation = {"__typename": typename, name: value}
        return _add(representation, _canonical(representation), index, representations)

    return slot


_EXACT = frozenset({str, int})
"""Classes whose values are equal in Python only when they are equal in JSON (a Boolean equals a number, say)."""


def _compile_flat(fields: list[RequiredField], typename: str) -> Slot:
    ordered = sorted(fields, key=lambda field: field.name)
    names = tuple(field.name for field in ordered)
    take = itemgetter(*(field.source for field in ordered))
    signature = f"{typename}({','.join(names)})"

    def slot(item: dict[str, Any], index: dict[Any, int], representations: list[dict[str, Any]]) -> int:
        values = take(item)
        identity: Any = (signature, values)
        is_exact = _EXACT.issuperset(map(type, values))
        if is_exact:
            found = index.get(identity)
            if found is not None:
                return found
        elif values.count(None) == len(values):
            return -1
        representation = {"__typename": typename, **dict(zip(names, values, strict=True))}
        if not is_exact:
            identity = _canonical(representation)
        return _add(representation, identity, index, representations)

    return slot


def _compile_nested(selections: tuple[RequiredSelection, ...], typename: str) -> Slot:
    copy = _compile_copy(selections)

    def slot(item: dict[str, Any], index: dict[Any, int], representations: list[dict[str, Any]]) -> int:
        representation: dict[str, Any] = {"__typename": typename}
        copy(item, representation)
        if all(value is None for name, value in representation.items() if name != "__typename"):
            return -1
        return _add(representation, _canonical(representation), index, representations)

    return slot


def _add(
    representation: dict[str, Any], identity: Any, index: dict[Any, int], representations: list[dict[str, Any]]
) -> int:
    found = index.setdefault(identity, len(representations))
    if found == len(representations):
        representations.append(representation)
    return found


def _compile_copy(selections: tuple[RequiredSelection, ...]) -> _Copy:
    """Return a function that copies the selected values; it raises KeyError when one is missing."""
    parts = [_compile_part(selection) for selection in selections]

    def copy(source: dict[str, Any], into: dict[str, Any]) -> None:
        for part in parts:
            part(source, into)

    return copy


def _compile_part(selection: RequiredSelection) -> _Copy:
    if isinstance(selection, RequiredFragment):
        types = frozenset(selection.types)
        inner = _compile_copy(selection.selections)

        def copy_fragment(source: dict[str, Any], into: dict[str, Any]) -> None:
            if source["__typename"] in types:
                inner(source, into)

        return copy_fragment
    name, key = selection.name, selection.source
    if not selection.selections:

        def copy_leaf(source: dict[str, Any], into: dict[str, Any]) -> None:
            into[name] = source[key]

        return copy_leaf
    nested = _compile_copy(selection.selections)

    def copy_object(source: dict[str, Any], into: dict[str, Any]) -> None:
        into[name] = _copy_value(source[key], nested, into.get(name))

    return copy_object


def _copy_value(value: Any, copy: _Copy, known: Any) -> Any:
    """Copy an object or list of objects; ``known`` is what another selection of the same field copied before."""
    if value is None:
        return None
    if isinstance(value, list):
        before = known if isinstance(known, list) and len(known) == len(value) else [None] * len(value)
        return [_copy_value(item, copy, old) for item, old in zip(value, before, strict=True)]
    into: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
    copy(value, into)
    return into


def _canonical(representation: dict[str, Any]) -> bytes:
    return orjson.dumps(representation, option=orjson.OPT_SORT_KEYS)
