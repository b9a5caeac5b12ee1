"""Shape the answer exactly: every null, wrong value and hidden name gets its place and its error.

This is the reference; :mod:`gateway.executor.projection` is the same for data without faults and falls back to this.
Null bubbling follows the GraphQL specification, section "Handling Execution Errors": a null in a non-null position
makes its parent null. An error is reported for it unless a subgraph's error already explains that place.
"""

from __future__ import annotations

from typing import Any

from gateway.errors import ErrorCode
from gateway.executor.paths import ResponsePath
from gateway.executor.shape import Composite, Leaf, Position, fits

__all__ = ["MAX_ERRORS", "complete", "complete_items", "complete_part"]

MAX_ERRORS = 200
"""Most errors that one answer carries; a list of thousands of faulty items needs no more to be understood."""

_BUBBLE: Any = object()


def complete(
    root: Composite, data: dict[str, Any], errors: list[dict[str, Any]]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Return the shaped data and all errors: what subgraphs reported (with client paths), then what is found here.

    Returns:
        New data, None when null reached the root, and the errors.
    """
    return complete_at(root, data, errors, root.name)


def complete_at(
    root: Composite, data: dict[str, Any], errors: list[dict[str, Any]], runtime: str
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Shape the object of type ``runtime`` at ``root``; see :func:`complete`."""
    completion = _Completion([tuple(error["path"]) for error in errors if error.get("path")])
    shaped = completion.fields(root.fields.get(runtime, ()), data, (), runtime)
    found = errors + completion.errors
    return (None if shaped is _BUBBLE else shaped), found[:MAX_ERRORS]


def complete_part(
    target: Composite, value: dict[str, Any], path: ResponsePath, errors: list[dict[str, Any]]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Shape fields that are added to an object which the client has at ``path``; see :func:`complete`."""
    completion = _Completion([tuple(error["path"]) for error in errors if error.get("path")])
    runtime = completion.runtime_type(target, value)
    if runtime is None:
        return None, errors
    shaped = completion.fields(target.fields.get(runtime, ()), value, path, runtime)
    return (None if shaped is _BUBBLE else shaped), (errors + completion.errors)[:MAX_ERRORS]


def complete_items(
    target: Composite, value: dict[str, Any], start: int, path: ResponsePath, errors: list[dict[str, Any]]
) -> tuple[list[Any], bool, list[dict[str, Any]]] | None:
    """Shape the items from ``start`` on of the list at ``path``, the only field of an object; see :func:`complete`.

    Returns:
        The items, whether null reached the list at the item after them, and the errors; None without such items.
    """
    completion = _Completion([tuple(error["path"]) for error in errors if error.get("path")])
    runtime = completion.runtime_type(target, value)
    positions = target.fields.get(runtime, ()) if runtime is not None else ()
    found = value.get(positions[0].source) if positions else None
    if not isinstance(found, list) or len(found) <= start:
        return None
    items, is_cut = completion.items(positions[0], found[start:], start, path)
    return items, is_cut, (errors + completion.errors)[:MAX_ERRORS]


class _Completion:
    def __init__(self, explained: list[ResponsePath]) -> None:
        self._explained = explained
        self.errors: list[dict[str, Any]] = []

    def fields(self, positions: tuple[Position, ...], value: dict[str, Any], path: ResponsePath, runtime: str) -> Any:
        shaped: dict[str, Any] = {}
        for position in positions:
            here = (*path, position.key)
            if position.name == "__typename":
                shaped[position.key] = runtime
                continue
            if position.is_denied:
                self._report(here, _DENIED_MESSAGE, ErrorCode.UNAUTHORIZED_FIELD_OR_TYPE)
            own = value.get(position.source)
            if position.first is not None and isinstance(own, list):
                own = own[: position.first]
            found = self._value(position, position.wrappers, own, here)
            if found is _BUBBLE:
                return _BUBBLE
            shaped[position.key] = found
        return shaped

    def _value(self, position: Position, wrappers: str, value: Any, path: ResponsePath) -> Any:
        if wrappers.startswith("!"):
            found = self._value(position, wrappers[1:], value, path)
            if found is not None:
                return found
            if not self._is_explained(path):
                message = f"cannot return null for the non-null field {position.parent}.{position.name}"
                self._report(path, message, ErrorCode.INVALID_RESULT)
            return _BUBBLE
        if value is None:
            return None
        if wrappers:
            return self._list(position, wrappers[1:], value, path)
        if isinstance(position.target, Leaf):
            return self._leaf(position, position.target, value, path)
        return self._object(position, position.target, value, path)

    def _list(self, position: Position, inner: str, value: Any, path: ResponsePath) -> Any:
        if not isinstance(value, list):
            self._invalid(position, path, "a list is expected")
            return None
        items = []
        for index, item in enumerate(value):
            found = self._value(position, inner, item, (*path, index))
            if found is _BUBBLE:
                return None
            items.append(found)
        return items

    def items(self, position: Position, values: list[Any], start: int, path: ResponsePath) -> tuple[list[Any], bool]:
        """Return the items of a list from ``start`` on, up to one that makes the list null, and whether one does."""
        inner = position.wrappers.removeprefix("!")[1:]
        items: list[Any] = []
        for index, value in enumerate(values, start):
            found = self._value(position, inner, value, (*path, index))
            if found is _BUBBLE:
                return items, True
            items.append(found)
        return items, False

    def _leaf(self, position: Position, leaf: Leaf, value: Any, path: ResponsePath) -> Any:
        if fits(leaf, value):
            return value
        if leaf.is_id and value.__class__ is int:
            return str(value)
        self._invalid(position, path, f"the subgraph's value is not a {leaf.name}")
        return None

    def _object(self, position: Position, target: Composite, value: Any, path: ResponsePath) -> Any:
        if not isinstance(value, dict):
            self._invalid(position, path, "an object is expected")
            return None
        runtime = self.runtime_type(target, value)
        if runtime is None:
            self._invalid(position, path, f"the object is of no type that {target.name} can be")
            return None
        found = self.fields(target.fields.get(runtime, ()), value, path, runtime)
        return None if found is _BUBBLE else found

    def runtime_type(self, target: Composite, value: dict[str, Any]) -> str | None:
        if not target.is_abstract:
            return target.name
        name = value.get("__typename")
        if name is not None and not isinstance(name, str):
            return None
        if name in target.possible:
            return name
        if (name is None or name in target.tolerated) and target.is_uniform and target.possible:
            return min(target.possible)
        return None

    def _invalid(self, position: Position, path: ResponsePath, what: str) -> None:
        message = f"the result for {position.parent}.{position.name} is invalid: {what}"
        self._report(path, message, ErrorCode.INVALID_RESULT)

    def _is_explained(self, path: ResponsePath) -> bool:
        """Tell whether an error stands at this place, above it or below it."""
        return any(path[: len(other)] == other[: len(path)] for other in self._explained)

    def _report(self, path: ResponsePath, message: str, code: ErrorCode) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({"message": message, "path": list(path), "extensions": {"code": str(code)}})
            self._explained.append(path)


_DENIED_MESSAGE = "you are not allowed to see this field; sign in with a principal that has the rights it needs"
