"""An operation after parsing and normalising: a tree of fields without fragments, aliases resolved, guards explicit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql.language import ArgumentNode, DocumentNode, FieldNode, TypeNode, VariableDefinitionNode

from gateway.plan.nodes import Guard, OperationKind, StreamedList

__all__ = ["DeferredSelection", "Guards", "Operation", "SelectedField"]

Guards = tuple[tuple[Guard, ...], ...]
"""Alternatives of conjunctions; empty means always."""


@dataclass(frozen=True, slots=True, eq=False)
class SelectedField:
    """One field of a normalised selection set.

    Two fields of one selection set with the same key have disjoint ``on``.

    Attributes:
        key: response key.
        name: field name.
        arguments: argument nodes as the client wrote them.
        arguments_text: the same printed, for comparison.
        on: object types for which the field is selected.
        type: the field's type in the supergraph.
        target: name of the composite type that ``type`` ends in, None for leaves.
        guards: when the field is selected at all.
        fields: the normalised sub-selection.
        deferred: numbers of the deferred fragments that it is selected in; empty when it is part of the first answer.
        stream: what the list leaves for later, by the number of the deferred part; None when nothing.
    """

    key: str
    name: str
    arguments: tuple[ArgumentNode, ...]
    arguments_text: str
    on: frozenset[str]
    type: TypeNode
    target: str | None
    guards: Guards
    fields: tuple[SelectedField, ...]
    deferred: frozenset[int] = frozenset()
    stream: StreamedList | None = None

    def walk(self) -> Iterator[SelectedField]:
        """Yield the field and every field below it, parents first."""
        yield self
        for field in self.fields:
            yield from field.walk()


@dataclass(frozen=True, slots=True)
class DeferredSelection:
    """What is delivered after the rest: the fields of a fragment, or the later items of a list.

    Attributes:
        parent: number of the one that it stands in.
        initial_count: how many items of the list come before, None for a fragment.
    """

    label: str | None
    parent: int | None
    initial_count: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A valid operation.

    Attributes:
        root_type: name of the root type.
        fields: normalised root fields, introspection left out.
        introspection: root fields that ask for ``__schema`` and ``__type``.
        deferred: the deferred fragments and streamed lists by number, outer before inner.
    """

    kind: OperationKind
    name: str | None
    root_type: str
    variable_definitions: tuple[VariableDefinitionNode, ...]
    fields: tuple[SelectedField, ...]
    introspection: tuple[FieldNode, ...]
    document: DocumentNode
    deferred: tuple[DeferredSelection, ...] = ()
