"""Streams that are taken up again after the last event: what ``@resumable`` on a subscription field makes possible.

The request to the subgraph is written anew once per plan:

1. The cursor of each event is selected under a name of its own, whether or not the client selects it.
2. The argument that takes the cursor becomes a variable of its own. Its first value is what the client gave, or the
   cursor with which the client comes back; after a break it is the cursor of the last event.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import DocumentNode, Visitor, parse, print_ast, strip_ignored_characters, value_from_ast_untyped, visit
from graphql.language import (
    ArgumentNode,
    FieldNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    parse_type,
)

from gateway.executor.context import ExecutionContext
from gateway.plan.nodes import Fetch
from gateway.transport.base import SharingTerms

__all__ = ["LONGEST_PAUSE_S", "ResumableField", "ResumableStream", "Resume", "compile_resumption", "pauses"]


FIRST_PAUSE_S = 0.05
"""Before the second attempt; a subgraph that restarts is back within seconds, so the pauses start short."""

LONGEST_PAUSE_S = 5.0
"""Pauses double up to this, so that a subgraph that stays away is not flooded when it comes back."""


@dataclass(frozen=True, slots=True)
class ResumableField:
    """A subscription field with ``@resumable``.

    Attributes:
        cursor: field of its events that holds their cursor.
        argument: argument that takes the cursor after which the stream goes on.
        argument_type: type of the argument as text.
    """

    cursor: str
    argument: str
    argument_type: str


@dataclass(frozen=True, slots=True)
class ResumableStream:
    """The request for a stream that can be taken up again.

    Attributes:
        prefix: JSON of the request body up to the value of ``variables``.
        variables: client variables that the request uses.
        key: response key of the stream's field.
        cursor_key: response key of the cursor in it.
        variable: name of the variable that takes the cursor.
        given: what the client wrote for the argument, None when it left it out.
    """

    prefix: bytes
    variables: tuple[str, ...]
    key: str
    cursor_key: str
    variable: str
    given: ValueNode | None

    def start(self, context: ExecutionContext) -> str | None:
        """Return the cursor that the client gave as the argument, None when it gave none."""
        if self.given is None:
            return None
        found = value_from_ast_untyped(self.given, {**context.defaults, **context.variables})
        return found if isinstance(found, str) else None

    def body(self, context: ExecutionContext, cursor: str | None) -> bytes:
        """Return the request body for the stream after ``cursor``; None leaves the argument out."""
        values: dict[str, Any] = {name: context.variables[name] for name in self.variables if name in context.variables}
        if cursor is not None:
            values[self.variable] = cursor
        return self.prefix + orjson.dumps(values) + b"}"

    def sharing(self, context: ExecutionContext, cursor: str | None) -> SharingTerms:
        """Return with which other requests for the stream one after ``cursor`` may be shared."""
        return SharingTerms(self.body(context, None), None, cursor, self._read_cursor)

    def _read_cursor(self, event: bytes) -> str | None:
        try:
            answer = orjson.loads(event)
        except orjson.JSONDecodeError:
            return None
        data = answer.get("data") if isinstance(answer, dict) else None
        return self.cursor_of(data) if isinstance(data, dict) else None

    def cursor_of(self, data: Mapping[str, Any] | None) -> str | None:
        """Return the cursor of an event, None when it has none."""
        event = data.get(self.key) if data else None
        found = event.get(self.cursor_key) if isinstance(event, dict) else None
        return found if isinstance(found, str) else None


def _never() -> bool:
    return False


@dataclass(slots=True)
class Resume:
    """How one stream is taken up again.

    Attributes:
        stream: the request.
        after: cursor with which the client comes back, None when it starts, or gives it as the argument.
        for_s: seconds after which a break that lasts ends the subscription.
        is_outdated: tells that another supergraph is served now; the stream is to be taken up there.
        is_moving: the stream ended here for that reason, after the last event that it gave.
    """

    stream: ResumableStream
    after: str | None = None
    for_s: float = 60.0
    is_outdated: Callable[[], bool] = _never
    is_moving: bool = False


def compile_resumption(fetch: Fetch, field: ResumableField) -> ResumableStream:
    """Write the request of a stream so that it can be taken up again; ``fetch`` is the plan's first one."""
    document = parse(fetch.document, no_location=True)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    root = next(node for node in operation.selection_set.selections if isinstance(node, FieldNode))
    names = set(_names(document))
    cursor_key, variable = _free("cursor", names), _free("after", names)
    given = next((item.value for item in root.arguments or () if item.name.value == field.argument), None)
    rewritten = _rewrite_root(root, field, cursor_key, variable)
    used = {node.name.value for node in _variables(rewritten, document, operation)}
    kept = [item for item in operation.variable_definitions or () if item.variable.name.value in used]
    changed = OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=(*kept, _definition(variable, field.argument_type)),
        directives=operation.directives,
        selection_set=SelectionSetNode(selections=(rewritten,)),
    )
    definitions = tuple(changed if node is operation else node for node in document.definitions)
    text = strip_ignored_characters(print_ast(DocumentNode(definitions=definitions)))
    prefix = b'{"query":' + orjson.dumps(text)
    if fetch.operation_name is not None:
        prefix += b',"operationName":' + orjson.dumps(fetch.operation_name)
    return ResumableStream(
        prefix + b',"variables":',
        tuple(name for name in fetch.variables if name in used),
        root.alias.value if root.alias else root.name.value,
        cursor_key,
        variable,
        given,
    )


def _rewrite_root(root: FieldNode, field: ResumableField, cursor_key: str, variable: str) -> FieldNode:
    others = [item for item in root.arguments or () if item.name.value != field.argument]
    after = ArgumentNode(name=_name(field.argument), value=VariableNode(name=_name(variable)))
    cursor = FieldNode(alias=_name(cursor_key), name=_name(field.cursor), arguments=(), directives=())
    selected = root.selection_set.selections if root.selection_set else ()
    return FieldNode(
        alias=root.alias,
        name=root.name,
        arguments=(*others, after),
        directives=root.directives,
        selection_set=SelectionSetNode(selections=(cursor, *selected)),
    )


def _definition(variable: str, type_: str) -> VariableDefinitionNode:
    return VariableDefinitionNode(
        variable=VariableNode(name=_name(variable)), type=parse_type(type_), default_value=None, directives=()
    )


def _name(value: str) -> NameNode:
    return NameNode(value=value)


def _free(wanted: str, taken: set[str]) -> str:
    """Return a name that a document does not use yet."""
    name = f"_{wanted}"
    while name in taken:
        name = f"_{name}"
    return name


class _Collector(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.variables: list[VariableNode] = []

    def enter_name(self, node: NameNode, *_: Any) -> None:
        self.names.add(node.value)

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variables.append(node)


def _names(document: DocumentNode) -> set[str]:
    collector = _Collector()
    visit(document, collector)
    return collector.names


def _variables(root: FieldNode, document: DocumentNode, operation: OperationDefinitionNode) -> Iterator[VariableNode]:
    """Yield the variables below the field and in the other definitions, its fragments."""
    for node in (root, *(node for node in document.definitions if node is not operation)):
        collector = _Collector()
        visit(node, collector)
        yield from collector.variables


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each attempt to take up a broken stream."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the clients of one broken subgraph
        pause = min(pause * 2, LONGEST_PAUSE_S)
