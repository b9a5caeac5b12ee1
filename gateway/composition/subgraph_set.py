"""The definitions of all subgraphs, read and indexed; what merging works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graphql.language import (
    ConstDirectiveNode,
    DirectiveDefinitionNode,
    InputValueDefinitionNode,
    Node,
    TypeDefinitionNode,
    TypeExtensionNode,
    TypeNode,
)

__all__ = ["Applied", "Definition", "Kind", "LinkedFeature", "Member", "Subgraph", "SubgraphSource"]

Kind = Literal["object", "interface", "union", "enum", "scalar", "input"]


@dataclass(frozen=True, slots=True)
class SubgraphSource:
    """A subgraph as handed in: ``sdl`` is its text, ``file`` where that was read from."""

    name: str
    url: str
    sdl: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class LinkedFeature:
    """A ``@link``: identity (address without version), version, and local names of imported elements.

    ``imports`` maps ``@name`` or ``Name`` to the local name, likewise with ``@``.
    """

    identity: str
    name: str
    version: tuple[int, int]
    alias: str
    imports: Mapping[str, str]
    node: Node | None = None

    @property
    def address(self) -> str:
        """The linked address."""
        return f"{self.identity}/v{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, slots=True)
class Applied:
    """A directive application; ``name`` is canonical for federation directives, else the local name."""

    name: str
    arguments: Mapping[str, Any]
    node: ConstDirectiveNode
    is_federation: bool


@dataclass(slots=True)
class Member:
    """A field, input field, argument or enum value of a definition.

    ``inherited`` are federation directives on the type definition or extension that the member stands in.
    """

    name: str
    node: Any
    directives: list[Applied]
    type: TypeNode | None = None
    arguments: dict[str, Member] = field(default_factory=dict)
    from_extension: bool = False
    inherited: frozenset[str] = frozenset()

    def has(self, directive: str) -> bool:
        """Tell whether a federation directive is applied."""
        return any(item.is_federation and item.name == directive for item in self.directives)

    def get(self, directive: str) -> Applied | None:
        """Return the first application of a federation directive."""
        return next((item for item in self.directives if item.is_federation and item.name == directive), None)

    @property
    def description(self) -> str | None:
        """Description, None when empty."""
        return (self.node.description.value or None) if self.node.description else None

    @property
    def default(self) -> Any:
        """Default value node, None without one."""
        return self.node.default_value if isinstance(self.node, InputValueDefinitionNode) else None


@dataclass(slots=True)
class Definition:
    """A type of one subgraph, its extensions folded in."""

    name: str
    kind: Kind
    nodes: list[TypeDefinitionNode | TypeExtensionNode]
    directives: list[Applied]
    members: dict[str, Member]
    interfaces: list[str]
    types: list[str]
    is_extension: bool
    description: str | None = None

    def has(self, directive: str) -> bool:
        """Tell whether a federation directive is applied."""
        return any(item.is_federation and item.name == directive for item in self.directives)

    def all(self, directive: str) -> Iterator[Applied]:
        """Yield applications of a federation directive."""
        return (item for item in self.directives if item.is_federation and item.name == directive)

    @property
    def node(self) -> TypeDefinitionNode | TypeExtensionNode:
        """First node, for locations."""
        return self.nodes[0]


@dataclass(slots=True)
class Subgraph:
    """One subgraph after ingestion.

    Attributes:
        version: federation version, None for federation 1.
        names: local directive name -> canonical federation directive name.
        type_names: local name -> canonical name of the specifications' own types.
        roots: operation kind -> name of its root type.
        shadowed_roots: types that are called like a default root type without being it.
        key_fields: every (type, field) that a key selects, at any depth.
        directive_members: definitions of directives, as a member that has their arguments.
        broken_names: words of field sets that are at fault; what they name counts as used.
        schema_directives: directives applied to the schema itself.
    """

    name: str
    url: str
    version: tuple[int, int] | None
    features: list[LinkedFeature]
    names: Mapping[str, str]
    definitions: dict[str, Definition]
    directive_definitions: dict[str, DirectiveDefinitionNode]
    roots: dict[str, str]
    shadowed_roots: dict[str, Node] = field(default_factory=dict)
    key_fields: set[tuple[str, str]] = field(default_factory=set)
    schema_directives: list[Applied] = field(default_factory=list)
    directive_members: dict[str, Member] = field(default_factory=dict)
    type_names: Mapping[str, str] = field(default_factory=dict)
    broken_names: set[str] = field(default_factory=set)
    description: str | None = None

    @property
    def is_fed1(self) -> bool:
        """True for SDL without a federation link."""
        return self.version is None

    def implementations(self, interface: str) -> list[Definition]:
        """Return object types that implement an interface here."""
        return [d for d in self.definitions.values() if d.kind == "object" and interface in d.interfaces]
