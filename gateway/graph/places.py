"""Where the objects of a field are: which definition of it a subgraph resolves, and what that provides below.

A place is a subgraph with the type under which it holds the object; composition and planning walk from place to place.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.graph.index import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.supergraph import JoinField

__all__ = ["Holder", "Place", "Places", "leaves_given"]

_NO_LEAVES: frozenset[str] = frozenset()


def leaves_given(provided: tuple[SelectedField, ...], type_name: str) -> frozenset[str]:
    """Return the names of the leaf fields in ``provided`` that concern a type."""
    if not provided:
        return _NO_LEAVES
    return frozenset(field.name for field in provided if not field.fields and type_name in field.on)


@dataclass(frozen=True, slots=True)
class Place:
    """A subgraph that holds objects under a type of its own; ``provided`` is resolvable there on top."""

    subgraph: str
    declared: str
    provided: tuple[SelectedField, ...] = ()

    def given(self, type_name: str) -> frozenset[str]:
        """Return the leaf fields of a type that are provided here."""
        return leaves_given(self.provided, type_name)


@dataclass(frozen=True, slots=True)
class Holder:
    """How a place resolves a field: by which definition, and what is provided below it."""

    join: JoinField
    owner: str
    provided: tuple[SelectedField, ...]


class Places:
    """Steps from place to place in one supergraph."""

    def __init__(self, index: SubgraphIndex) -> None:
        self._index = index

    def holder(self, place: Place, type_name: str, field: str) -> Holder | None:
        """Return how the place resolves a field without an entity fetch, None when it does not."""
        index = self._index
        for given in place.provided:
            if given.name == field and type_name in given.on:
                join = index.declared(place.subgraph, type_name, field) or JoinField(place.subgraph)
                return Holder(join, type_name, given.fields)
        owner = place.declared if index.is_interface_object(place.subgraph, place.declared) else type_name
        join_ = index.local(place.subgraph, owner, field)
        if join_ is not None:
            return (
                None if join_.requires or join_.contexts else Holder(join_, owner, self._provides(join_, owner, field))
            )
        declared = index.declared(place.subgraph, owner, field)
        if declared is not None and index.is_key_field(place.subgraph, owner, field):
            for text in index.key_texts(place.subgraph, owner):
                for given in index.field_set(text, owner):
                    if given.name == field:
                        return Holder(declared, owner, given.fields)
        return None

    def _provides(self, join: JoinField, owner: str, field: str) -> tuple[SelectedField, ...]:
        if not join.provides:
            return ()
        return self._index.field_set(join.provides, self._index.target(join, owner, field))

    def below(self, place: Place, type_name: str, field: SelectedField) -> Place | None:
        """Return the place of a composite field's objects when ``place`` resolves it, None when it does not."""
        holder = self.holder(place, type_name, field.name)
        if holder is None:
            return None
        return Place(place.subgraph, self._index.target(holder.join, holder.owner, field.name), holder.provided)

    def entering(self, subgraph: str, type_name: str, field: str) -> tuple[str, JoinField | None]:
        """Return by which type a subgraph that is entered resolves a field, and its definition; None when by a key."""
        index = self._index
        for owner in (type_name, *index.interfaces(type_name)):
            join = index.local(subgraph, owner, field)
            if join is not None and (owner == type_name or index.is_interface_object(subgraph, owner)):
                return owner, join
        return type_name, None

    def entered(self, subgraph: str, type_name: str, field: SelectedField) -> Place:
        """Return the place of a composite field's objects after an entity fetch of ``type_name`` to the subgraph."""
        index = self._index
        owner, join = self.entering(subgraph, type_name, field.name)
        if join is not None:
            return Place(subgraph, index.target(join, owner, field.name), self._provides(join, owner, field.name))
        declared = index.declared(subgraph, type_name, field.name) or JoinField(subgraph)
        return Place(subgraph, index.target(declared, type_name, field.name))
