"""The supergraph as data: which subgraph defines which type and field, under which conditions.

Names of subgraphs are those of ``@join__graph(name:)``. All collections keep the order of the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from graphql import DocumentNode, GraphQLSchema
from graphql.language import (
    FieldDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    TypeDefinitionNode,
    TypeNode,
)

__all__ = [
    "AuthorizationRule",
    "ContextArgument",
    "FieldDefinition",
    "JoinField",
    "JoinType",
    "SubgraphInfo",
    "Supergraph",
    "TypeDefinition",
    "TypeKind",
    "named_type",
]

TypeKind = Literal["object", "interface", "union", "enum", "scalar", "input"]


@dataclass(frozen=True, slots=True)
class SubgraphInfo:
    """A subgraph: ``name`` as its team calls it, ``url`` where it answers (may be empty)."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class JoinType:
    """A subgraph's definition of a type.

    Attributes:
        keys: key field sets with whether the subgraph resolves references by them; empty when it has none.
        is_interface_object: the subgraph defines this interface as an object type.
        is_extension: the subgraph extends a type of another; such a subgraph returns its key fields although it marks
            them external (federation 1).
    """

    graph: str
    keys: tuple[tuple[str, bool], ...]
    is_interface_object: bool
    is_extension: bool = False


@dataclass(frozen=True, slots=True)
class ContextArgument:
    """An argument that the gateway gives, read from the nearest enclosing object that sets a context.

    Attributes:
        name: name of the argument in the subgraph; clients do not see it.
        type: its type there, as text.
        context: name of the context in the supergraph.
        selection: what is read, as a selection on the object that sets the context.
    """

    name: str
    type: str
    context: str
    selection: str

    @property
    def fields(self) -> str:
        """The selection without braces around it, as keys and requirements are written."""
        text = self.selection.strip()
        return text[1:-1] if text.startswith("{") else text


@dataclass(frozen=True, slots=True)
class JoinField:
    """A subgraph's definition of a field.

    Attributes:
        type: the field's type in that subgraph, None when it is the supergraph's.
        external: the subgraph only refers to the field.
        requires, provides: field sets, None when absent.
        override: subgraph that this definition takes the field from; ``override_label`` makes that progressive.
        used_overridden: the field moved away and stays only for the subgraph's own references.
        contexts: arguments that are read from contexts.
    """

    graph: str
    type: TypeNode | None = None
    external: bool = False
    requires: str | None = None
    provides: str | None = None
    override: str | None = None
    override_label: str | None = None
    used_overridden: bool = False
    contexts: tuple[ContextArgument, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A field of an object or interface; ``joins`` maps each subgraph that defines it to its definition."""

    name: str
    type: TypeNode
    joins: Mapping[str, JoinField]
    node: FieldDefinitionNode


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """A type of the supergraph.

    Attributes:
        joins: subgraphs that define the type.
        fields: fields of an object or interface by name.
        interfaces: subgraph -> interfaces that the type implements there.
        members: subgraph -> object types of a union there.
        contexts: names of the contexts that objects of the type set.
    """

    name: str
    kind: TypeKind
    joins: Mapping[str, JoinType]
    fields: Mapping[str, FieldDefinition]
    interfaces: Mapping[str, tuple[str, ...]]
    members: Mapping[str, tuple[str, ...]]
    node: TypeDefinitionNode
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationRule:
    """What a principal needs to see a type or field.

    Attributes:
        authenticated: a verified principal is enough to see it, and needed.
        scopes: alternatives of scope sets; the principal must hold every scope of one of them. Empty means no rule.
        policies: alternatives of policy sets, likewise.
    """

    authenticated: bool = False
    scopes: tuple[tuple[str, ...], ...] = ()
    policies: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Supergraph:
    """A parsed supergraph document."""

    subgraphs: Mapping[str, SubgraphInfo]
    types: Mapping[str, TypeDefinition]
    root_types: Mapping[str, str]
    authorization: Mapping[str, AuthorizationRule]
    document: DocumentNode = field(repr=False)

    @cached_property
    def api_schema(self) -> GraphQLSchema:
        """What clients see: no federation types, nothing inaccessible. Built on first use."""
        from gateway.supergraph.api_schema import build_api_schema  # noqa: PLC0415 - most readers never need it

        return build_api_schema(self.document)

    @cached_property
    def operation_schema(self) -> GraphQLSchema:
        """The API schema with the directives that change how an answer is delivered, to check operations against."""
        from graphql import GraphQLDeferDirective, GraphQLSchema, GraphQLStreamDirective  # noqa: PLC0415 - few operations need it

        known = self.api_schema.to_kwargs()
        known["directives"] = (*known["directives"], GraphQLDeferDirective, GraphQLStreamDirective)
        return GraphQLSchema(**known)

    @cached_property
    def possible_types(self) -> Mapping[str, tuple[str, ...]]:
        """Object types per composite type name in the whole supergraph, sorted; an object type maps to itself.

        So does an interface without implementations: only interface objects can return it.
        """
        found: dict[str, set[str]] = {}
        for type_ in self.types.values():
            if type_.kind == "object":
                found.setdefault(type_.name, set()).add(type_.name)
                for interfaces in type_.interfaces.values():
                    for interface in interfaces:
                        found.setdefault(interface, set()).add(type_.name)
            elif type_.kind == "union":
                found.setdefault(type_.name, set()).update(*type_.members.values())
            elif type_.kind == "interface":
                found.setdefault(type_.name, set())
        return {name: tuple(sorted(types)) or (name,) for name, types in found.items()}

    def contexts_of(self, type_name: str) -> tuple[str, ...]:
        """Return the contexts that an object of a type sets, by its own definition, an interface or a union of it."""
        return self._contexts.get(type_name, ())

    @cached_property
    def _contexts(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for type_ in self.types.values():
            for name in self.possible_types.get(type_.name, ()) if type_.contexts else ():
                found.setdefault(name, {}).update(dict.fromkeys(type_.contexts))
        return {name: tuple(contexts) for name, contexts in found.items()}

    def field_directives(self, directive: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the arguments of a composed directive by field coordinate (``Type.field``)."""
        from graphql import value_from_ast_untyped  # noqa: PLC0415 - most readers never need it

        return {
            f"{type_.name}.{field_.name}": {
                argument.name.value: value_from_ast_untyped(argument.value) for argument in applied.arguments or ()
            }
            for type_ in self.types.values()
            for field_ in type_.fields.values()
            for applied in field_.node.directives or ()
            if applied.name.value == directive
        }


def named_type(type_: TypeNode) -> str:
    """Return the name inside list and non-null wrappers."""
    while isinstance(type_, ListTypeNode | NonNullTypeNode):
        type_ = type_.type
    return type_.name.value if isinstance(type_, NamedTypeNode) else ""
