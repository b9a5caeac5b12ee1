"""From text to a valid, normalised operation."""

from __future__ import annotations

from graphql import DocumentNode, GraphQLError, parse, specified_rules, validate
from graphql.language import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, OperationType

from gateway.errors import ErrorCode, RequestError
from gateway.operation.document import Operation
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
"""Most tokens of a document; the big queries of real clients have below 3,000."""

MAX_ERRORS = 50
"""Most validation errors that are reported; more help nobody."""


def parse_operation(supergraph: Supergraph, text: str, operation_name: str | None = None) -> Operation:
    """Parse, validate and normalise one operation of a document.

    Raises:
        RequestError: GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED (``errors`` has every one, with locations),
            OPERATION_RESOLUTION_FAILED (no or ambiguous ``operation_name``), LIMIT_EXCEEDED.
    """
    document = _parse(text)
    errors = validate(supergraph.api_schema, document, specified_rules, max_errors=MAX_ERRORS)
    if errors:
        raise RequestError(ErrorCode.GRAPHQL_VALIDATION_FAILED, errors[0].message, errors=tuple(errors))
    definition = _select(document, operation_name)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    kind = _KINDS[definition.operation]
    root_type = supergraph.root_types[kind]
    normalizer = Normalizer(supergraph, fragments)
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
    )


def _parse(text: str) -> DocumentNode:
    try:
        return parse(text, max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        if "token" in error.message and str(MAX_TOKENS) in error.message:
            message = f"the document has more than {MAX_TOKENS} tokens"
            raise RequestError(ErrorCode.LIMIT_EXCEEDED, message) from error
        raise RequestError(ErrorCode.GRAPHQL_PARSE_FAILED, error.message, errors=(error,)) from error


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
