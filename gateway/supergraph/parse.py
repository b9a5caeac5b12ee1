"""Read a supergraph document of any join version (v0.1 to v0.5) into the model.

1. Find the linked features; refuse one that is ``for: SECURITY`` or ``for: EXECUTION`` and unknown to us.
2. Read ``join__Graph`` for the subgraphs.
3. Read each type with its join directives. A field without ``@join__field`` belongs to every subgraph of its type
   (to the owner alone for ``@join__owner`` of v0.1); one with a ``@join__field`` that names no graph belongs to none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from graphql import DirectiveNode, GraphQLError, parse, parse_type, value_from_ast_untyped
from graphql.language import (
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    TypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
)

from gateway.errors import SupergraphError
from gateway.supergraph.features import canonical_document, check_features, is_of_feature, linked_features
from gateway.supergraph.model import (
    AuthorizationRule,
    ContextArgument,
    FieldDefinition,
    JoinField,
    JoinType,
    SubgraphInfo,
    Supergraph,
    TypeDefinition,
    TypeKind,
)
from gateway.supergraph.references import check_references

__all__ = ["parse_supergraph"]

_KINDS: Mapping[type[TypeDefinitionNode], TypeKind] = {
    ObjectTypeDefinitionNode: "object",
    InterfaceTypeDefinitionNode: "interface",
    UnionTypeDefinitionNode: "union",
    EnumTypeDefinitionNode: "enum",
    ScalarTypeDefinitionNode: "scalar",
    InputObjectTypeDefinitionNode: "input",
}


def parse_supergraph(sdl: str) -> Supergraph:
    """Return the supergraph that a document describes.

    Raises:
        SupergraphError: the text is not GraphQL, has no ``join__Graph``, names what it does not have, or links a
            feature with a purpose that this gateway does not implement.
    """
    try:
        document = parse(sdl, no_location=False)
    except GraphQLError as error:
        where = f" (line {error.locations[0].line}, column {error.locations[0].column})" if error.locations else ""
        raise SupergraphError(f"the supergraph is not valid GraphQL{where}: {error.message}") from error
    check_features(document)
    document = canonical_document(document)
    features = linked_features(document)
    graphs = _read_graphs(document)
    names = _Graphs({graph: info.name for graph, info in graphs.items()})
    types = {
        node.name.value: _read_type(node, names)
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode) and not is_of_feature(node.name.value, features)
    }
    supergraph = Supergraph(
        subgraphs={info.name: info for info in graphs.values()},
        types=types,
        root_types=_read_roots(document, types),
        authorization=_read_authorization(document),
        document=document,
    )
    check_references(supergraph)
    return supergraph


class _Graphs(dict[str, str]):
    """Names of subgraphs by value of ``join__Graph``."""

    def __missing__(self, value: object) -> str:
        raise SupergraphError(f"a join directive names the subgraph {value}, which join__Graph does not have")


def _read_graphs(document: DocumentNode) -> dict[str, SubgraphInfo]:
    for node in document.definitions:
        if isinstance(node, EnumTypeDefinitionNode) and node.name.value == "join__Graph":
            graphs = {}
            for value in node.values or ():
                arguments = _only(value.directives or (), "join__graph")
                graphs[value.name.value] = SubgraphInfo(
                    name=str(arguments.get("name") or value.name.value.lower()), url=str(arguments.get("url") or "")
                )
            return graphs
    raise SupergraphError("the document has no enum join__Graph; is it a subgraph's SDL instead of a supergraph's?")


def _read_type(node: TypeDefinitionNode, names: Mapping[str, str]) -> TypeDefinition:
    directives = node.directives or ()
    owner = _only(directives, "join__owner").get("graph")
    joins = _read_join_types(directives, names)
    if not joins:  # v0.1 value types and enums carry no join directives: every subgraph knows them
        joins = {name: JoinType(name, (), is_interface_object=False) for name in names.values()}
    kind = _KINDS[type(node)]
    fields: dict[str, FieldDefinition] = {}
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        home = (names[owner],) if isinstance(owner, str) else tuple(joins)
        fields = {item.name.value: _read_field(item, home, names) for item in node.fields or ()}
        if isinstance(owner, str):
            joins = _as_extensions(joins, names[owner])
            fields = {name: _with_key_joins(field, joins) for name, field in fields.items()}
    return TypeDefinition(
        name=node.name.value,
        kind=kind,
        joins=joins,
        fields=fields,
        interfaces=_read_interfaces(node, joins, names),
        members=_read_members(node, joins, names),
        node=node,
        contexts=tuple(str(_Arguments(item)["name"]) for item in directives if item.name.value == "context"),
    )


def _as_extensions(joins: Mapping[str, JoinType], owner: str) -> dict[str, JoinType]:
    """Mark what extends an owned type: v0.1 comes from federation 1, where all but the owner do."""
    return {graph: replace(join, is_extension=graph != owner) for graph, join in joins.items()}


def _with_key_joins(field: FieldDefinition, joins: Mapping[str, JoinType]) -> FieldDefinition:
    """Add that extensions return their key fields, which v0.1 leaves unsaid."""
    more = {
        graph: JoinField(graph, external=True)
        for graph, join in joins.items()
        if join.is_extension and graph not in field.joins and any(field.name in _top(key) for key, _ in join.keys)
    }
    return replace(field, joins={**field.joins, **more}) if more else field


def _top(key: str) -> list[str]:
    """Return the names at the top level of a field set."""
    names, depth = [], 0
    for word in re.findall(r"[{}]|\w+", key):
        depth += {"{": 1, "}": -1}.get(word, 0)
        if depth == 0 and word != "}":
            names.append(word)
    return names


def _read_join_types(directives: Iterable[DirectiveNode], names: Mapping[str, str]) -> dict[str, JoinType]:
    keys: dict[str, list[tuple[str, bool]]] = {}
    interface_objects: set[str] = set()
    extensions: set[str] = set()
    for applied in directives:
        if applied.name.value not in {"join__type", "join__owner"}:
            continue
        arguments = _Arguments(applied)
        graph = names[arguments["graph"]]
        found = keys.setdefault(graph, [])
        if arguments.get("key"):
            found.append((arguments["key"], arguments.get("resolvable", True)))
        if arguments.get("isInterfaceObject"):
            interface_objects.add(graph)
        if arguments.get("extension"):
            extensions.add(graph)
    return {
        graph: JoinType(graph, tuple(found), graph in interface_objects, graph in extensions)
        for graph, found in keys.items()
    }


def _read_field(node: FieldDefinitionNode, home: Iterable[str], names: Mapping[str, str]) -> FieldDefinition:
    joins: dict[str, JoinField] = {}
    applied_joins = [item for item in node.directives or () if item.name.value == "join__field"]
    for applied in applied_joins:
        arguments = _Arguments(applied)
        if arguments.get("graph") is None:
            continue
        graph = names[arguments["graph"]]
        joins[graph] = JoinField(
            graph=graph,
            type=_read_type_text(arguments["type"]) if arguments.get("type") else None,
            external=bool(arguments.get("external")),
            requires=arguments.get("requires"),
            provides=arguments.get("provides"),
            override=arguments.get("override"),
            override_label=arguments.get("overrideLabel"),
            used_overridden=bool(arguments.get("usedOverridden")),
            contexts=tuple(
                ContextArgument(one["name"], one["type"], one["context"], one["selection"])
                for one in arguments.get("contextArguments") or ()
            ),
        )
    if not applied_joins:
        joins = {graph: JoinField(graph) for graph in home}
    return FieldDefinition(node.name.value, node.type, joins, node)


def _read_type_text(text: str) -> TypeNode:
    try:
        return parse_type(text)
    except GraphQLError as error:
        raise SupergraphError(f"a join directive gives {text!r} as a type, which it is not") from error


def _read_interfaces(
    node: TypeDefinitionNode, joins: Mapping[str, JoinType], names: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    if not isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        return {}
    applied = [_Arguments(item) for item in node.directives or () if item.name.value == "join__implements"]
    if not applied:
        declared = tuple(item.name.value for item in node.interfaces or ())
        return dict.fromkeys(joins, declared) if declared else {}
    found: dict[str, list[str]] = {}
    for arguments in applied:
        found.setdefault(names[arguments["graph"]], []).append(arguments["interface"])
    return {graph: tuple(interfaces) for graph, interfaces in found.items()}


def _read_members(
    node: TypeDefinitionNode, joins: Mapping[str, JoinType], names: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    if not isinstance(node, UnionTypeDefinitionNode):
        return {}
    applied = [_Arguments(item) for item in node.directives or () if item.name.value == "join__unionMember"]
    if not applied:
        declared = tuple(item.name.value for item in node.types or ())
        return dict.fromkeys(joins, declared)
    found: dict[str, list[str]] = {}
    for arguments in applied:
        found.setdefault(names[arguments["graph"]], []).append(arguments["member"])
    return {graph: tuple(members) for graph, members in found.items()}


def _read_roots(document: DocumentNode, types: Mapping[str, TypeDefinition]) -> dict[str, str]:
    roots: dict[str, str] = {}
    for node in document.definitions:
        if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
            for operation in node.operation_types or ():
                roots[operation.operation.value] = operation.type.name.value
    for kind, name in (("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")):
        if name in types:
            roots.setdefault(kind, name)
    if "query" not in roots:
        raise SupergraphError("the supergraph has no query type")
    return roots


def _read_authorization(document: DocumentNode) -> dict[str, AuthorizationRule]:
    rules: dict[str, AuthorizationRule] = {}
    for node in document.definitions:
        if not isinstance(node, TypeDefinitionNode):
            continue
        own = _rule(node.directives or ())
        if own is not None:
            rules[node.name.value] = own
        for item in getattr(node, "fields", None) or ():
            rule = _rule(item.directives or ())
            if rule is not None:
                rules[f"{node.name.value}.{item.name.value}"] = rule
    return rules


def _rule(directives: Iterable[DirectiveNode]) -> AuthorizationRule | None:
    found = {item.name.value: item for item in directives}
    if not found.keys() & {"authenticated", "requiresScopes", "policy"}:
        return None
    scopes = _Arguments(found["requiresScopes"])["scopes"] if "requiresScopes" in found else ()
    policies = _Arguments(found["policy"])["policies"] if "policy" in found else ()
    return AuthorizationRule(
        authenticated="authenticated" in found,
        scopes=tuple(tuple(group) for group in scopes),
        policies=tuple(tuple(group) for group in policies),
    )


class _Arguments(dict[str, Any]):
    """Arguments of an applied directive; one that is asked for and not given is a fault of the document."""

    def __init__(self, applied: DirectiveNode) -> None:
        super().__init__({item.name.value: value_from_ast_untyped(item.value) for item in applied.arguments or ()})
        self._directive = applied.name.value

    def __missing__(self, name: str) -> Any:
        raise SupergraphError(f"@{self._directive} is applied without its argument {name}")


def _only(directives: Iterable[DirectiveNode], name: str) -> dict[str, Any]:
    return next((_Arguments(item) for item in directives if item.name.value == name), {})
