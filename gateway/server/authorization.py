"""Take out of an operation what the principal may not see, before it is planned.

1. A coordinate (type or ``Type.field``) is closed when the principal does not meet its rule. A field is closed for a
   runtime type when its own coordinate, its type's or its result type's is.
2. Closed fields leave the operation, so nothing of them is asked of any subgraph.
3. After planning they come back into the answer's shape as fields that are always null with an error at their place.

A closed field that cannot be null has no such place: then the whole request is refused. So is a subscription to a
closed field, which has no events.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from graphql import parse_type, print_ast
from graphql.language import NonNullTypeNode

from gateway.config import AuthorizationSettings
from gateway.errors import ErrorCode, RequestError
from gateway.executor.shape import DENIED
from gateway.operation import Operation, SelectedField
from gateway.plan.nodes import OutputField, QueryPlan
from gateway.server.principal import Principal
from gateway.supergraph import AuthorizationRule

__all__ = [
    "COORDINATES",
    "Closed",
    "DeniedField",
    "close",
    "closed_coordinates",
    "coordinates_of",
    "enforce",
    "restore",
]

_log = logging.getLogger("gateway")

Closed = frozenset[str]
"""Coordinates that a principal may not see."""

COORDINATES = "coordinates"
"""Extension of a refusal that names what is closed."""

_PLACEHOLDER = "_closed"
"""Response key of the type name that stands in for a selection set of which nothing is left."""

_TYPENAME = parse_type("String!", no_location=True)


@dataclass(frozen=True, slots=True)
class DeniedField:
    """A field that was taken out; ``path`` names its parents by response key."""

    path: tuple[str, ...]
    field: SelectedField


def closed_coordinates(rules: Mapping[str, AuthorizationRule], principal: Principal) -> Closed:
    """Return the coordinates whose rule the principal does not meet."""
    return frozenset(coordinate for coordinate, rule in rules.items() if not _meets(rule, principal))


def _meets(rule: AuthorizationRule, principal: Principal) -> bool:
    if principal.subject is None and rule.authenticated:
        return False
    if rule.scopes and not any(principal.scopes.issuperset(group) for group in rule.scopes):
        return False
    return not rule.policies or any(principal.policies.issuperset(group) for group in rule.policies)


def enforce(
    operation: Operation, closed: Closed, settings: AuthorizationSettings
) -> tuple[Operation, tuple[DeniedField, ...]]:
    """Return the operation that may run and the fields that its answer must deny, as the settings want it.

    Raises:
        RequestError: UNAUTHORIZED_FIELD_OR_TYPE, a closed field cannot be null, or may not be asked for at all.
    """
    try:
        visible, denied = close(operation, closed)
    except RequestError as error:
        if not settings.dry_run:
            raise
        _log.warning("operation %s would be refused: %s", operation.name or "without a name", error.message)
        return operation, ()
    if not denied:
        return visible, denied
    named = coordinates_of(denied)
    names = ", ".join(named)
    if settings.dry_run:
        _log.warning("operation %s would be denied %s", operation.name or "without a name", names)
        return operation, ()
    if settings.mode == "reject":
        message = f"you are not allowed to see {names}; remove them or sign in with a principal that has the rights"
        raise _refused(message, named)
    return visible, denied


def coordinates_of(denied: tuple[DeniedField, ...]) -> tuple[str, ...]:
    """Return the coordinates of fields that were taken out, each once and in order."""
    return tuple(sorted({f"{name}.{item.field.name}" for item in denied for name in item.field.on}))


def _refused(message: str, coordinates: Iterable[str]) -> RequestError:
    extensions = {COORDINATES: list(coordinates)}
    return RequestError(ErrorCode.UNAUTHORIZED_FIELD_OR_TYPE, message, http_status=403, extensions=extensions)


def close(operation: Operation, closed: Closed) -> tuple[Operation, tuple[DeniedField, ...]]:
    """Return the operation without closed fields, and those.

    Raises:
        RequestError: UNAUTHORIZED_FIELD_OR_TYPE, a closed field cannot be null, or is what is subscribed to.
    """
    if not closed:
        return operation, ()
    filter_ = _Filter(closed)
    fields = filter_.fields(operation.fields, ())
    if not filter_.denied:
        return operation, ()
    if operation.kind == "subscription" and not fields:
        named = coordinates_of(tuple(filter_.denied))
        message = f"you are not allowed to follow {named[0]}; sign in with a principal that has the rights it needs"
        raise _refused(message, named)
    return replace(operation, fields=fields), tuple(filter_.denied)


class _Filter:
    def __init__(self, closed: Closed) -> None:
        self._closed = closed
        self.denied: list[DeniedField] = []

    def fields(self, fields: tuple[SelectedField, ...], path: tuple[str, ...]) -> tuple[SelectedField, ...]:
        kept: list[SelectedField] = []
        for field in fields:
            types = frozenset(name for name in field.on if self._is_closed(name, field))
            if types:
                self._deny(replace(field, on=types), path)
            if types != field.on:
                inner = self.fields(field.fields, (*path, field.key))
                if field.fields and not inner:
                    inner = (_placeholder(field),)
                kept.append(replace(field, on=field.on - types, fields=inner))
        return tuple(kept)

    def _is_closed(self, type_name: str, field: SelectedField) -> bool:
        if field.name == "__typename":
            return False
        own = {type_name, f"{type_name}.{field.name}", _named(field)}
        return not own.isdisjoint(self._closed)

    def _deny(self, field: SelectedField, path: tuple[str, ...]) -> None:
        if isinstance(field.type, NonNullTypeNode):
            where = ".".join((*path, field.key))
            message = (
                f"you are not allowed to see {min(field.on)}.{field.name} (at {where}), and it cannot be left out "
                f"because it is never null; remove it or sign in with a principal that has the rights it needs"
            )
            raise _refused(message, sorted(f"{name}.{field.name}" for name in field.on))
        self.denied.append(DeniedField(path, field))


def _named(field: SelectedField) -> str:
    return print_ast(field.type).strip("[]!")


def _placeholder(parent: SelectedField) -> SelectedField:
    types = frozenset(name for child in parent.fields for name in child.on)
    first = parent.fields[0]
    return replace(
        first,
        key=_PLACEHOLDER,
        name="__typename",
        arguments=(),
        arguments_text="",
        on=types,
        type=_TYPENAME,
        target=None,
        guards=(),
        fields=(),
    )


def restore(plan: QueryPlan, denied: tuple[DeniedField, ...]) -> QueryPlan:
    """Return the plan whose answer has the denied fields again, as nulls with errors."""
    output = plan.output
    for item in denied:
        output = _insert(output, item.path, item.field)
    return replace(plan, output=_drop_placeholders(output))


def _insert(output: tuple[OutputField, ...], path: tuple[str, ...], field: SelectedField) -> tuple[OutputField, ...]:
    if not path:
        return (*output, _output(field))
    return tuple(
        replace(item, fields=_insert(item.fields, path[1:], field)) if item.key == path[0] else item for item in output
    )


def _output(field: SelectedField) -> OutputField:
    return OutputField(
        key=field.key,
        name=field.name,
        source=DENIED + field.key,
        type=print_ast(field.type),
        on=tuple(sorted(field.on)),
        guards=field.guards,
        deferred=tuple(sorted(field.deferred)),
    )


def _drop_placeholders(output: tuple[OutputField, ...]) -> tuple[OutputField, ...]:
    return tuple(replace(item, fields=_drop_placeholders(item.fields)) for item in output if item.key != _PLACEHOLDER)
