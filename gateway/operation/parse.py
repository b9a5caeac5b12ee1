"""From text to a valid, normalised operation."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphql import DocumentNode, GraphQLError, Source, specified_rules, validate
from graphql.language import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
)
from graphql.language.parser import Parser

from gateway.errors import ErrorCode, RequestError
from gateway.operation.document import Operation
from gateway.operation.initial_count import InitialCountRule
from gateway.operation.lexing import ForwardLexer
from gateway.operation.normalize import Normalizer
from gateway.plan.nodes import OperationKind
from gateway.supergraph import Supergraph

__all__ = ["parse_operation"]

_KINDS: dict[OperationType, OperationKind] = {
    OperationType.QUERY: "query",
    OperationType.MUTATION: "mutation",
    OperationType.SUBSCRIPTION: "subscription",
}

MAX_TOKENS = 15_000
"""Most tokens of a document unless the caller says; the big queries of real clients have below 3,000."""

MAX_NESTING = 100
"""Most brackets of any kind inside one another; the parser recurses, and deeper ones would exhaust Python's stack."""

MAX_ERRORS = 50
"""Most validation errors that are reported; more help nobody."""


_BRACKETS = re.compile(r'"""(?:[^"\\]|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|\#[^\n\r]*+|([{(\[])|[})\]]')
"""Strings and comments, whose brackets do not count; an opening bracket (the group); a closing one."""


def parse_operation(
    supergraph: Supergraph,
    text: str,
    operation_name: str | None = None,
    *,
    max_tokens: int = MAX_TOKENS,
    check: Callable[[DocumentNode], None] | None = None,
    defers: Callable[[str], bool | int | None] | None = None,
    rewrite: Callable[[DocumentNode], DocumentNode] | None = None,
    suggests: bool = True,
) -> Operation:
    """Parse, validate and normalise one operation of a document.

    ``check`` looks at the parsed document before anything of it is validated, and raises to refuse it. ``rewrite`` then
    returns the document to validate. Without ``suggests`` no error names what the schema has instead of what was asked.

    ``defers`` gives the value of a variable of ``@defer`` or ``@stream``, None when the client gave none. Without it,
    and for each event of a subscription, all is answered at once, as the specification allows.

    Raises:
        RequestError: GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED (``errors`` has every one, with locations),
            OPERATION_RESOLUTION_FAILED (no or ambiguous ``operation_name``), LIMIT_EXCEEDED.
    """
    document = _parse(text, max_tokens)
    if check is not None:
        check(document)
    if rewrite is not None:
        document = rewrite(document)
    errors = _faults(supergraph, document, text, suggests=suggests)
    if errors:
        raise RequestError(ErrorCode.GRAPHQL_VALIDATION_FAILED, errors[0].message, errors=tuple(errors))
    definition = _select(document, operation_name)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    kind = _KINDS[definition.operation]
    root_type = supergraph.root_types[kind]
    normalizer = Normalizer(supergraph, fragments, _switches(definition, defers if kind != "subscription" else None))
    introspection: list[FieldNode] = []
    fields = normalizer.normalize(definition.selection_set, root_type, introspection)
    return Operation(
        kind=kind,
        name=definition.name.value if definition.name else None,
        root_type=root_type,
        variable_definitions=tuple(definition.variable_definitions or ()),
        fields=fields,
        introspection=tuple(introspection),
        document=document,
        deferred=tuple(normalizer.deferred),
    )


def _faults(supergraph: Supergraph, document: DocumentNode, text: str, *, suggests: bool) -> list[GraphQLError]:
    has_more = "@defer" in text or "@stream" in text
    schema = supergraph.operation_schema if has_more else supergraph.api_schema
    rules = (*specified_rules, InitialCountRule) if has_more else specified_rules
    return validate(schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=not suggests)


def _switches(
    definition: OperationDefinitionNode, given: Callable[[str], bool | int | None] | None
) -> Callable[[str], bool | int] | None:
    if given is None:
        return None
    defaults: dict[str, bool | int] = {}
    for node in definition.variable_definitions or ():
        if isinstance(node.default_value, BooleanValueNode):
            defaults[node.variable.name.value] = node.default_value.value
        elif isinstance(node.default_value, IntValueNode):
            defaults[node.variable.name.value] = int(node.default_value.value)

    def value(name: str) -> bool | int:
        found = given(name)
        return defaults.get(name, False) if found is None else found

    return value


def _parse(text: str, max_tokens: int) -> DocumentNode:
    _check_nesting(text)
    source = Source(text)
    try:
        return Parser(source, max_tokens=max_tokens, lexer=ForwardLexer(source)).parse_document()
    except RecursionError as error:
        raise _too_deep() from error  # there was less of the stack left than brackets allow for
    except GraphQLError as error:
        if "token" in error.message and str(max_tokens) in error.message:
            message = f"the document has more than {max_tokens} tokens"
            extensions = {"limit": "max_tokens", "most": max_tokens}
            raise RequestError(ErrorCode.LIMIT_EXCEEDED, message, extensions=extensions) from error
        raise RequestError(ErrorCode.GRAPHQL_PARSE_FAILED, error.message, errors=(error,)) from error


def _check_nesting(text: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        if found[1]:
            depth += 1
            if depth > MAX_NESTING:
                raise _too_deep()
        elif found[0] in _CLOSING:
            depth -= 1


def _too_deep() -> RequestError:
    message = f"brackets are nested more than {MAX_NESTING} levels deep"
    extensions = {"limit": "nesting", "most": MAX_NESTING}
    return RequestError(ErrorCode.LIMIT_EXCEEDED, message, extensions=extensions)


_CLOSING = frozenset("})]")


def _select(document: DocumentNode, operation_name: str | None) -> OperationDefinitionNode:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    names = ", ".join(repr(node.name.value) for node in operations if node.name) or "no named operation"
    if operation_name is None:
        if len(operations) == 1:
            return operations[0]
        what = "has no operation" if not operations else f"has several operations ({names}); name one in operationName"
        raise RequestError(ErrorCode.OPERATION_RESOLUTION_FAILED, f"the document {what}")
    for node in operations:
        if node.name and node.name.value == operation_name:
            return node
    message = f"operationName {operation_name!r} is not in the document; it has {names}"
    raise RequestError(ErrorCode.OPERATION_RESOLUTION_FAILED, message)
