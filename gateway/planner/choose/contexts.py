"""Fetch what arguments read from contexts (``@fromContext``).

1. From the objects of a position outwards, those that set the context are found; the nearest come first.
2. What the context gives is placed on them like a requirement, so that it is in the merged data before the step that
   reads it.
3. The search ends where every type sets the context, because nothing further out can then be the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.plan.nodes import ContextRead, RequiredField, RequiredSelection
from gateway.planner.choose.placement import Placement
from gateway.planner.choose.require import Requirements
from gateway.planner.choose.typenames import Typenames
from gateway.planner.steps import Position, Step
from gateway.supergraph import ContextArgument

__all__ = ["Contexts"]


class Contexts:
    """Finds the values of contexts around positions."""

    def __init__(self, index: SubgraphIndex, typenames: Typenames, requirements: Requirements) -> None:
        self._index = index
        self._typenames = typenames
        self._requirements = requirements

    def read(self, placement: Placement, argument: ContextArgument) -> tuple[set[Step], tuple[ContextRead, ...]]:
        """Place what a context gives to a field; return the steps that answer it and where it may lie, nearest first.

        Raises:
            PlanningError: NO_PATH.
        """
        providers: set[Step] = set()
        reads: list[ContextRead] = []
        setter: Position | None = placement.position
        while setter is not None:
            contexts = {name: self._index.supergraph.contexts_of(name) for name in setter.types}
            setting = sorted(name for name in setter.types if argument.context in contexts[name])
            for type_name in setting:
                fields = self._index.field_set(argument.fields, type_name)
                found, selections = self._requirements.require(setter, fields, type_name, placement.guards)
                providers |= found
                types = (type_name,) if len(setter.types) > 1 else ()
                reads.append(ContextRead(setter.path, types, _leaf_keys(selections)))
            if setting and len(setter.types) > 1:
                providers |= self._typenames.show(setter, frozenset(setting))
            if len(setting) == len(setter.types):
                break
            setter = setter.parent
        if not reads:
            field = placement.field
            message = f"{min(field.on)}.{field.name}: nothing around it sets the context {argument.context}"
            raise PlanningError(ErrorCode.NO_PATH, message)
        return providers, tuple(reads)


def _leaf_keys(selections: Sequence[RequiredSelection]) -> tuple[str, ...]:
    """Return the internal keys to the one value that a selection of one field per level reads."""
    keys: list[str] = []
    level = selections
    while level:
        one = next(item for item in level if not isinstance(item, RequiredField) or item.name != "__typename")
        if isinstance(one, RequiredField):
            keys.append(one.source)
        level = one.selections
    return tuple(keys)
