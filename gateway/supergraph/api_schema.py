"""The API schema: the supergraph without its machinery and without what is inaccessible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError, GraphQLSchema, build_ast_schema
from graphql.language import (
    ConstDirectiveNode,
    DefinitionNode,
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
)

from gateway.errors import SupergraphError
from gateway.supergraph.features import is_of_feature, linked_features
from gateway.supergraph.model import named_type

__all__ = ["build_api_document", "build_api_schema"]

_KEPT_DIRECTIVES = frozenset({"deprecated", "specifiedBy", "oneOf"})


def build_api_schema(document: DocumentNode) -> GraphQLSchema:
    """Build the schema that clients see from a supergraph document.

    Raises:
        SupergraphError: what is left is not a valid schema (the document did not come from a composer).
    """
    try:
        return build_ast_schema(build_api_document(document), assume_valid_sdl=True)
    except (GraphQLError, TypeError) as error:
        raise SupergraphError(f"the supergraph has no valid API schema: {error}") from error


def build_api_document(document: DocumentNode) -> DocumentNode:
    """Return the document without federation types, directives and inaccessible elements."""
    features = linked_features(document)
    hidden = {
        node.name.value
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode) and _is_inaccessible(node)
    }
    kept: list[DefinitionNode] = []
    for node in document.definitions:
        if isinstance(node, TypeDefinitionNode):
            if not is_of_feature(node.name.value, features) and node.name.value not in hidden:
                kept.append(_strip_type(node, hidden))
        elif isinstance(node, SchemaDefinitionNode):
            kept.append(_rebuild(node, directives=()))
        elif isinstance(node, DirectiveDefinitionNode) and _is_executable(node, features):
            kept.append(node)
    return DocumentNode(definitions=tuple(kept))


def _is_executable(node: DirectiveDefinitionNode, features: frozenset[str]) -> bool:
    locations = {location.value for location in node.locations}
    return not is_of_feature(node.name.value, features) and bool(
        locations & {"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"}
    )


def _strip_type(node: TypeDefinitionNode, hidden: set[str]) -> Any:
    changes: dict[str, Any] = {"directives": _kept_directives(node.directives or ())}
    if isinstance(node, UnionTypeDefinitionNode):
        changes["types"] = tuple(item for item in node.types or () if item.name.value not in hidden)
    elif isinstance(node, EnumTypeDefinitionNode):
        changes["values"] = tuple(_strip_member(item) for item in _visible(node.values or ()))
    else:
        if hasattr(node, "interfaces"):
            changes["interfaces"] = tuple(item for item in node.interfaces or () if item.name.value not in hidden)
        if hasattr(node, "fields"):
            changes["fields"] = tuple(
                _strip_member(item) for item in _visible(node.fields or ()) if named_type(item.type) not in hidden
            )
    return _rebuild(node, **changes)


def _strip_member(node: Any) -> Any:
    changes: dict[str, Any] = {"directives": _kept_directives(node.directives or ())}
    if getattr(node, "arguments", None):
        changes["arguments"] = tuple(_strip_member(item) for item in _visible(node.arguments))
    return _rebuild(node, **changes)


def _visible(nodes: Iterable[Any]) -> Iterable[Any]:
    return (node for node in nodes if not _is_inaccessible(node))


def _is_inaccessible(node: Any) -> bool:
    return any(item.name.value == "inaccessible" for item in node.directives or ())


def _kept_directives(directives: Iterable[ConstDirectiveNode]) -> tuple[ConstDirectiveNode, ...]:
    return tuple(item for item in directives if item.name.value in _KEPT_DIRECTIVES)


def _rebuild(node: Any, **changes: Any) -> Any:
    return type(node)(**{key: getattr(node, key) for key in node.keys} | changes)
