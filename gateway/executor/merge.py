"""Merge what subgraphs answer into the one tree of the request.

The tree only grows: a value is never replaced by null, and objects and lists at the same place are merged member by
member. Entities that stand for several objects of one target are shared by them, not copied, unless what is below them
depends on what is around them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.executor.representations import CompiledTarget

__all__ = ["copy_value", "merge_entities", "merge_object"]

IsObjectType = Callable[[str], bool]


def merge_object(into: dict[str, Any], answer: dict[str, Any], is_object_type: IsObjectType) -> bool:
    """Merge ``answer`` into ``into``; ``answer`` must not be used after.

    Returns:
        False when the two are objects of different object types; ``into`` is then unchanged. A type name that is no
        object type (an interface object's) gives way to one that is.
    """
    if into.keys().isdisjoint(answer):
        into.update(answer)
        return True
    known, found = into.get("__typename"), answer.get("__typename")
    if isinstance(known, str) and isinstance(found, str) and known != found:
        if is_object_type(known):
            if is_object_type(found):
                return False
            answer = {**answer, "__typename": known}
        elif not is_object_type(found):
            answer = {**answer, "__typename": known}
    for key, value in answer.items():
        old = into.get(key)
        if old is None:
            into[key] = value
        elif value is not None:
            into[key] = _merge_value(old, value, is_object_type)
    return True


def _merge_value(old: Any, value: Any, is_object_type: IsObjectType) -> Any:
    if old is value:
        return old
    if isinstance(old, dict) and isinstance(value, dict):
        merge_object(old, value, is_object_type)
        return old
    if isinstance(old, list) and isinstance(value, list) and len(old) == len(value):
        return [
            new if before is None else before if new is None else _merge_value(before, new, is_object_type)
            for before, new in zip(old, value, strict=True)
        ]
    return value


def merge_entities(
    target: CompiledTarget,
    objects: list[dict[str, Any]],
    slots: list[int],
    entities: list[Any],
    is_object_type: IsObjectType,
) -> list[int]:
    """Merge each entity into the objects that stand for it.

    Returns:
        Slots whose entity is not an object or is of another type than the object that asked; usually empty.
    """
    if target.copies:
        entities = [copy_value(entity) for entity in entities]
    wrong: list[int] = []
    given: set[int] | None = set() if target.unshared else None
    for item, slot in zip(objects, slots, strict=True):
        if slot < 0:
            continue
        entity = entities[slot]
        if given is not None:
            entity = copy_value(entity) if slot in given else entity
            given.add(slot)
        if entity.__class__ is dict:
            if item.keys().isdisjoint(entity):
                item.update(entity)
            elif not merge_object(item, entity, is_object_type):
                wrong.append(slot)
        elif entity is not None:
            wrong.append(slot)
    return wrong


def copy_value(value: Any) -> Any:
    """Return a JSON value with objects and lists of its own."""
    if isinstance(value, dict):
        return {key: copy_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_value(item) for item in value]
    return value
