"""Have objects tell their types where steps fetch them, by selecting ``__typename``.

A step that enters a position by the key of an object type was told the type and need not tell it. One that holds the
objects as an interface object tells only that interface; ``tell_types`` is for those.
"""

from __future__ import annotations

from gateway.graph import SubgraphIndex
from gateway.planner.draft import Draft
from gateway.planner.steps import Position, Presence, Step

__all__ = ["Typenames"]


class Typenames:
    """Selects ``__typename`` in the steps of a draft."""

    def __init__(self, index: SubgraphIndex, draft: Draft) -> None:
        self._index = index
        self._draft = draft

    def show(self, position: Position, types: frozenset[str], told: frozenset[str] = frozenset()) -> set[Step]:
        """Select ``__typename`` where the objects come from and return the earliest step that tells each type.

        A step that enters here knows the types already, unless it enters by an interface; that one is asked for the
        types in ``told`` only.
        """
        found: set[Step] = set()
        open_types = set(types)
        for presence in sorted(self._draft.at_hand(position), key=lambda one: one.step.stage):
            covered = presence.types & open_types
            is_teller = presence.step.position is not position or presence.level.typename
            if covered and (is_teller or (covered & told and self._is_entered_by_interface(presence))):
                presence.level.typename = True
                found.add(presence.step)
                if not presence.untyped:
                    open_types -= covered
        return found

    def _is_entered_by_interface(self, presence: Presence) -> bool:
        return not presence.untyped and self._index.supergraph.types[presence.declared].kind == "interface"

    def show_above(self, position: Position) -> set[Step]:
        """Return the steps that tell types on which the way to a position depends, where objects came without them."""
        found: set[Step] = set()
        while position.parent is not None and position.selected is not None:
            parent, on = position.parent, position.selected.on & position.parent.types
            if on != parent.types and any(presence.untyped for presence in self._draft.at_hand(parent)):
                found |= self.show(parent, on, on)
            position = parent
        return found
