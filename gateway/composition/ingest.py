"""Read one subgraph's SDL: parse, resolve links, fold extensions, check that it is GraphQL.

A subgraph may extend types that it does not define, so extensions are folded into definitions before GraphQL's own
rules are applied; the federation directives of its version are added for that check under their local names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    build_ast_schema,
    parse,
    validate_schema,
    value_from_ast_untyped,
    visit,
)
from graphql.language import (
    ConstDirectiveNode,
    DirectiveDefinitionNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    NamedTypeNode,
    NameNode,
    Node,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
    Visitor,
)
from graphql.validation.validate import validate_sdl

from gateway.composition.codes import Fault
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.links import FEDERATION, local_names, local_types, read_links
from gateway.composition.prelude import prelude_for
from gateway.composition.subgraph_set import Applied, Definition, Kind, Member, Subgraph, SubgraphSource
from gateway.composition.validate.definitions import check_definitions

__all__ = ["ingest"]

_KINDS: dict[type, Kind] = {
    ObjectTypeDefinitionNode: "object",
    ObjectTypeExtensionNode: "object",
    InterfaceTypeDefinitionNode: "interface",
    InterfaceTypeExtensionNode: "interface",
    UnionTypeDefinitionNode: "union",
    UnionTypeExtensionNode: "union",
    EnumTypeDefinitionNode: "enum",
    EnumTypeExtensionNode: "enum",
    ScalarTypeDefinitionNode: "scalar",
    ScalarTypeExtensionNode: "scalar",
    InputObjectTypeDefinitionNode: "input",
    InputObjectTypeExtensionNode: "input",
}
_DEFINITIONS: dict[Kind, Any] = {
    "object": ObjectTypeDefinitionNode,
    "interface": InterfaceTypeDefinitionNode,
    "union": UnionTypeDefinitionNode,
    "enum": EnumTypeDefinitionNode,
    "scalar": ScalarTypeDefinitionNode,
    "input": InputObjectTypeDefinitionNode,
}
_FED1_DIRECTIVES = ("key", "requires", "provides", "external", "extends", "tag")
_MACHINERY = frozenset({"_Any", "_Entity", "_Service", "_FieldSet", "FieldSet", "link__Import", "link__Purpose"})
_ROOT_NAMES = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}


def ingest(source: SubgraphSource, diagnostics: Diagnostics) -> Subgraph | None:
    """Return the subgraph, None when it is not valid GraphQL or a link cannot be used."""
    document = _parse(source, diagnostics)
    if document is None:
        return None
    document, shadowed = _rename_roots(document)
    features = read_links(document, source.name, diagnostics)
    if features is None:
        return None
    federation = next((feature for feature in features if feature.identity == FEDERATION), None)
    names = local_names(features)
    if federation is None:
        names = {name: name for name in _FED1_DIRECTIVES} | names
    subgraph = Subgraph(
        source.name, source.url, federation.version if federation else None, features, names, {}, {}, {}, shadowed
    )
    subgraph.type_names = local_types(features)
    _collect(document, subgraph)
    if not check_definitions(subgraph, document, diagnostics) or not _is_valid(subgraph, diagnostics):
        return None
    return subgraph


def _parse(source: SubgraphSource, diagnostics: Diagnostics) -> DocumentNode | None:
    try:
        return parse(source.sdl)
    except GraphQLError as error:
        place = error.locations[0] if error.locations else None
        where = f"{source.file}:{place.line}:{place.column}: " if place and source.file else ""
        diagnostics.error(Fault.INVALID_GRAPHQL, f"[{source.name}] {where}{error.message}", at=[(source.name, place)])
    except RecursionError:
        diagnostics.error(
            Fault.INVALID_GRAPHQL, f"[{source.name}] the document nests too deeply", at=[(source.name, None)]
        )
    return None


def _collect(document: DocumentNode, subgraph: Subgraph) -> None:
    for node in document.definitions:
        if isinstance(node, TypeDefinitionNode | TypeExtensionNode):
            name = node.name.value
            is_ours = name in _MACHINERY or name in subgraph.type_names or name.startswith(("federation__", "__"))
            if not is_ours:
                _fold(node, subgraph)
        elif isinstance(node, DirectiveDefinitionNode):
            subgraph.directive_definitions[node.name.value] = node
            subgraph.directive_members[node.name.value] = _member(node, subgraph, is_extension=False)
        elif isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
            subgraph.schema_directives.extend(_applied(item, subgraph) for item in node.directives or ())
            description = getattr(node, "description", None)
            if description is not None:
                subgraph.description = description.value or None
            for operation in node.operation_types or ():
                subgraph.roots[operation.operation.value] = operation.type.name.value
    for kind, name in _ROOT_NAMES.items():
        if name in subgraph.definitions:
            subgraph.roots.setdefault(kind, name)


def _fold(node: TypeDefinitionNode | TypeExtensionNode, subgraph: Subgraph) -> None:
    name = node.name.value
    kind = _KINDS[type(node)]
    is_extension = isinstance(node, TypeExtensionNode)
    known = subgraph.definitions.get(name)
    if known is None:
        known = subgraph.definitions[name] = Definition(name, kind, [], [], {}, [], [], is_extension=True)
    known.nodes.append(node)
    if not is_extension:
        known.is_extension = False
    applied = [_applied(item, subgraph) for item in node.directives or ()]
    known.directives.extend(applied)
    if any(item.is_federation and item.name == "extends" for item in applied):
        known.is_extension = True
    description = getattr(node, "description", None)
    if description and description.value:
        known.description = description.value
    for item in getattr(node, "fields", None) or getattr(node, "values", None) or ():
        if item.name.value in {"_service", "_entities"} and kind == "object":
            continue
        member = _member(item, subgraph, is_extension=is_extension)
        member.inherited = frozenset(one.name for one in applied if one.is_federation)
        known.members.setdefault(item.name.value, member)
    known.interfaces.extend(i.name.value for i in getattr(node, "interfaces", None) or ())
    known.types.extend(i.name.value for i in getattr(node, "types", None) or ())


def _member(node: Any, subgraph: Subgraph, *, is_extension: bool) -> Member:
    return Member(
        name=node.name.value,
        node=node,
        directives=[_applied(item, subgraph) for item in node.directives or ()],
        type=getattr(node, "type", None),
        arguments={
            item.name.value: _member(item, subgraph, is_extension=is_extension)
            for item in getattr(node, "arguments", None) or ()
        },
        from_extension=is_extension,
    )


def _applied(node: ConstDirectiveNode, subgraph: Subgraph) -> Applied:
    canonical = subgraph.names.get(node.name.value)
    arguments = {item.name.value: value_from_ast_untyped(item.value) for item in node.arguments or ()}
    return Applied(canonical or node.name.value, arguments, node, is_federation=canonical is not None)


def _is_valid(subgraph: Subgraph, diagnostics: Diagnostics) -> bool:
    """Apply GraphQL's own rules to the folded document."""
    errors = [*_unknown_directives(subgraph), *_graphql_errors(_folded_document(subgraph))]
    for error in errors:
        diagnostics.error(
            Fault.INVALID_GRAPHQL,
            f"[{subgraph.name}] {error.message}",
            at=[(subgraph.name, node) for node in error.nodes or ()] or [(subgraph.name, None)],
        )
    return not errors


def _unknown_directives(subgraph: Subgraph) -> Iterator[GraphQLError]:
    """Yield uses of ``@oneOf``: federation does not know it, and merging inputs by intersection would break it."""
    if "oneOf" in subgraph.directive_definitions:
        return
    for definition in subgraph.definitions.values():
        for applied in definition.directives:
            if applied.name == "oneOf":
                yield GraphQLError("Unknown directive '@oneOf'.", applied.node)


def _graphql_errors(document: DocumentNode) -> list[GraphQLError]:
    try:
        errors = validate_sdl(document)
        if errors:
            return errors
        schema = build_ast_schema(document, assume_valid_sdl=True)
        return validate_schema(schema)
    except GraphQLError as error:
        return [error]
    except TypeError as error:
        return [GraphQLError(str(error))]


def _folded_document(subgraph: Subgraph) -> DocumentNode:
    definitions: list[Any] = []
    for definition in subgraph.definitions.values():
        definitions.extend(_fold_nodes(definition))
    own = set(subgraph.directive_definitions) | set(subgraph.definitions)
    definitions.extend(subgraph.directive_definitions.values())
    definitions.extend(node for node in prelude_for(subgraph) if node.name.value not in own)
    roots = dict(subgraph.roots)
    query = subgraph.definitions.get(roots.get("query", ""))
    if query is None or not query.members:
        definitions.append(parse("type federation__Placeholder { _service: Int }").definitions[0])
        roots["query"] = "federation__Placeholder"
    text = " ".join(f"{kind}: {name}" for kind, name in roots.items() if name in subgraph.definitions or "__" in name)
    definitions.append(parse(f"schema {{ {text} }}").definitions[0])
    return DocumentNode(definitions=tuple(definitions))


def _fold_nodes(definition: Definition) -> list[Any]:
    """Return one definition node with everything in it; kinds that differ are left for the rules to find."""
    if len({_KINDS[type(node)] for node in definition.nodes}) > 1 or _is_defined_twice(definition):
        return list(definition.nodes)
    first = definition.nodes[0]
    values: dict[str, Any] = {"name": first.name, "loc": first.loc, "description": None}
    for key in ("directives", "interfaces", "fields", "values", "types"):
        if hasattr(first, key):
            parts = [item for node in definition.nodes for item in getattr(node, key) or ()]
            if key == "fields" and definition.kind == "object":
                parts = [item for item in parts if item.name.value not in {"_service", "_entities"}]
            values[key] = tuple(parts)
    if definition.kind in {"object", "interface"} and not values["fields"]:
        return []
    return [_DEFINITIONS[definition.kind](**values)]


def _is_defined_twice(definition: Definition) -> bool:
    return sum(isinstance(node, TypeDefinitionNode) for node in definition.nodes) > 1


class _Renamer(Visitor):
    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    def leave_name(self, node: NameNode, _key: Any, parent: Any, *_: Any) -> Any:
        new = self._names.get(node.value)
        if new is None or not isinstance(parent, NamedTypeNode | TypeDefinitionNode | TypeExtensionNode):
            return None
        return NameNode(value=new, loc=node.loc)


def _rename_roots(document: DocumentNode) -> tuple[DocumentNode, dict[str, Node]]:
    """Give root types their default names, as the supergraph has them; return types that had such a name already."""
    given = {
        operation.operation.value: operation.type.name.value
        for node in document.definitions
        if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode)
        for operation in node.operation_types or ()
    }
    names = {name: _ROOT_NAMES[kind] for kind, name in given.items() if name != _ROOT_NAMES[kind]}
    if not names:
        return document, {}
    shadowed: dict[str, Node] = {
        kind: node
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode)
        for kind, default in _ROOT_NAMES.items()
        if node.name.value == default and kind in given and given[kind] != default
    }
    return (document, shadowed) if shadowed else (visit(document, _Renamer(names)), {})
