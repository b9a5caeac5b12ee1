"""Which subscriptions of a supergraph are resumable: ``@resumable(cursor:, argument:)``, composed by its subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import print_ast

from gateway.errors import SupergraphError
from gateway.executor.resumption import ResumableField
from gateway.supergraph import Supergraph, named_type

__all__ = ["DIRECTIVE", "resumable_fields"]

DIRECTIVE = "resumable"


def resumable_fields(supergraph: Supergraph) -> Mapping[str, ResumableField]:
    """Return the resumable fields by coordinate.

    Raises:
        SupergraphError: the directive names a cursor or an argument that is not there.
    """
    given = supergraph.field_directives(DIRECTIVE)
    return {where: _read(supergraph, where, arguments) for where, arguments in given.items()}


def _read(supergraph: Supergraph, where: str, arguments: Mapping[str, Any]) -> ResumableField:
    type_name, _, field_name = where.partition(".")
    if type_name != supergraph.root_types.get("subscription"):
        raise _wrong(where, "only a subscription field can be resumable")
    field = supergraph.types[type_name].fields[field_name]
    cursor, argument = arguments.get("cursor"), arguments.get("argument")
    if not isinstance(cursor, str) or not isinstance(argument, str):
        raise _wrong(where, "cursor and argument must be names")
    event = supergraph.types.get(named_type(field.type))
    if event is None or cursor not in event.fields:
        raise _wrong(where, f"its events have no field {cursor} to hold their cursor")
    type_ = next((item.type for item in field.node.arguments or () if item.name.value == argument), None)
    if type_ is None:
        raise _wrong(where, f"it has no argument {argument} that takes the cursor")
    return ResumableField(cursor, argument, print_ast(type_))


def _wrong(where: str, what: str) -> SupergraphError:
    return SupergraphError(f"{where} is marked @{DIRECTIVE}, but {what}")
