"""Place the fields that representations need, and say how they are copied from the merged data.

Each field is placed like one that a client asks for, under the key that it has already or a free one. Where it leads to
objects of several types, those tell their types, so that the copy has what the subgraph expects of each.

Invariant: a field that is required while its own requirements are placed ends planning, because neither could be
fetched first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.plan.nodes import Guard, RequiredField, RequiredFragment, RequiredSelection
from gateway.planner.choose.placement import PlaceField, Placement
from gateway.planner.choose.positions import Positions
from gateway.planner.choose.typenames import Typenames
from gateway.planner.steps import Position, Step

__all__ = ["Requirements"]

_TYPENAME = RequiredField("__typename", "__typename")


class Requirements:
    """Places required fields by ``place``."""

    def __init__(self, index: SubgraphIndex, positions: Positions, typenames: Typenames, place: PlaceField) -> None:
        self._index = index
        self._positions = positions
        self._typenames = typenames
        self._place = place
        self._narrowed: dict[tuple[SelectedField, str], SelectedField] = {}
        self._requiring: list[tuple[int, str, str]] = []

    def require_for(
        self, placement: Placement, owner: str, requires: str, type_name: str
    ) -> tuple[set[Step], list[RequiredSelection]]:
        """Place what the ``@requires`` of a field names; as ``require``.

        Args:
            placement: the field that requires something.
            owner: the type that declares it.
            requires: the field set.
            type_name: the type of the objects.

        Raises:
            PlanningError: REQUIREMENT_CYCLE.
        """
        position, field = placement.position, placement.field
        mark = (id(position), owner, field.name)
        if mark in self._requiring:
            cycle = " -> ".join(f"{name}.{inner}" for _, name, inner in self._requiring)
            raise PlanningError(ErrorCode.REQUIREMENT_CYCLE, f"{cycle} -> {owner}.{field.name} require each other")
        self._requiring.append(mark)
        try:
            return self.require(position, self._index.field_set(requires, type_name), type_name, placement.guards)
        finally:
            self._requiring.pop()

    def require(
        self,
        position: Position,
        fields: Iterable[SelectedField],
        type_name: str | None,
        guards: tuple[Guard, ...],
        latest: int | None = None,
    ) -> tuple[set[Step], list[RequiredSelection]]:
        """Place fields that a representation needs; return the steps that answer them and how to copy them.

        ``type_name`` None means every type possible at the position. ``latest`` is the last stage in which they should
        be at hand; for keys that keeps subgraphs from being entered by each other.
        """
        steps: set[Step] = set()
        selections: list[RequiredSelection] = []
        for field in fields:
            if type_name is not None and type_name not in field.on:
                continue
            if field.name == "__typename":
                steps |= self._typenames.show(position, position.types)
                selections.append(_TYPENAME)
                continue
            key = self._positions.required_key(position, field)
            narrowed = field if type_name is None else self._narrow(field, type_name)
            steps |= self._place(Placement(position, narrowed, key, guards), latest=latest)
            inner: list[RequiredSelection] = []
            child = self._positions.below(position, narrowed, key, guards)
            if child is not None:
                below, inner = self.require(child, field.fields, None, guards, latest)
                steps |= below
                if len(child.types) > 1:
                    steps |= self._typenames.show(child, child.types)
                    inner.insert(0, _TYPENAME)
            required = RequiredField(field.name, key, tuple(dict.fromkeys(inner)))
            if type_name is None and field.on < position.types:
                _add_fragment(selections, field.on, required)
            else:
                selections.append(required)
        return steps, selections

    def _narrow(self, field: SelectedField, type_name: str) -> SelectedField:
        """Return a field for one type only; always the same object, because what is estimated for it is remembered."""
        if field.on == {type_name}:
            return field
        narrowed = self._narrowed.get((field, type_name))
        if narrowed is None:
            narrowed = self._narrowed[field, type_name] = replace(field, on=frozenset({type_name}))
        return narrowed


def _add_fragment(selections: list[RequiredSelection], types: frozenset[str], required: RequiredField) -> None:
    """Add a field for some types, to the last fragment when that says the same."""
    last = selections[-1] if selections else None
    if isinstance(last, RequiredFragment) and last.selections == (required,):
        selections[-1] = RequiredFragment(tuple(sorted({*last.types, *types})), (required,))
    else:
        selections.append(RequiredFragment(tuple(sorted(types)), (required,)))
