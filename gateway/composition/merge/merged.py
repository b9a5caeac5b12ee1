"""The merged schema: what the supergraph will say, still as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphql.language import ConstValueNode, DirectiveDefinitionNode, TypeNode

from gateway.composition.subgraph_set import Kind

__all__ = ["MergedDirective", "MergedField", "MergedInput", "MergedSchema", "MergedType", "MergedValue"]


@dataclass(slots=True)
class MergedInput:
    """An argument or input field. ``joins`` and ``applied`` are directive texts."""

    name: str
    type: TypeNode
    default: ConstValueNode | None
    description: str | None
    joins: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)


@dataclass(slots=True)
class MergedField:
    """An output field. ``joins`` is empty when every subgraph of the type resolves it plainly."""

    name: str
    type: TypeNode
    arguments: dict[str, MergedInput]
    description: str | None
    joins: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)


@dataclass(slots=True)
class MergedValue:
    """An enum value."""

    name: str
    description: str | None
    joins: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)


@dataclass(slots=True)
class MergedType:
    """A type with what is below it."""

    name: str
    kind: Kind
    description: str | None
    joins: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    fields: dict[str, MergedField] = field(default_factory=dict)
    inputs: dict[str, MergedInput] = field(default_factory=dict)
    values: dict[str, MergedValue] = field(default_factory=dict)
    interfaces: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


@dataclass(slots=True)
class MergedDirective:
    """An executable directive."""

    name: str
    arguments: dict[str, MergedInput]
    description: str | None
    is_repeatable: bool
    locations: tuple[str, ...]


@dataclass(slots=True)
class MergedSchema:
    """Everything that the supergraph says.

    Attributes:
        features: features of the specifications that something applied belongs to.
        composed_links: ``@link`` directives of composed custom features.
        composed_features: the names under which these are linked.
    """

    types: dict[str, MergedType]
    directives: dict[str, MergedDirective]
    features: set[str] = field(default_factory=set)
    composed_links: list[str] = field(default_factory=list)
    composed_directives: dict[str, DirectiveDefinitionNode] = field(default_factory=dict)
    composed_features: set[str] = field(default_factory=set)
    description: str | None = None

    def is_of_feature(self, name: str) -> bool:
        """Tell whether a type belongs to a feature that the supergraph links, by the prefix of its name."""
        prefix, separator, _ = name.partition("__")
        return bool(separator) and (prefix in {"link", "join"} | self.features | self.composed_features)
