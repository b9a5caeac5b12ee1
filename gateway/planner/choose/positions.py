"""Where fields lie in the merged data: under which key, and at which position the objects below them.

Fields of one name can differ in their arguments, and in the type that some subgraph gives them; those may not share a
key, so all but the first get an alias. What is required takes the key of the same field when there is one.
"""

from __future__ import annotations

from graphql import print_ast

from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.plan.nodes import Guard
from gateway.planner.steps import Position

__all__ = ["Positions"]


class Positions:
    """Finds keys and positions for the fields of one plan."""

    def __init__(self, index: SubgraphIndex) -> None:
        self._supergraph = index.supergraph
        self._shapes: dict[SelectedField, str] = {}

    def client_key(self, position: Position, field: SelectedField) -> str:
        """Return the internal key of a field that a client asks for: its response key where that is free."""
        return position.bind(field, self._shape(field), field.key)

    def required_key(self, position: Position, field: SelectedField) -> str:
        """Return the internal key of a field that a representation needs: that of the same field if there is one."""
        shape = self._shape(field)
        return position.find(field, shape) or position.bind(field, shape, field.name)

    def below(self, position: Position, field: SelectedField, key: str, guards: tuple[Guard, ...]) -> Position | None:
        """Return the position of the objects that a field leads to, None when it is a leaf."""
        if field.target is None:
            return None
        return position.child(key, field, frozenset(self._supergraph.possible_types[field.target]), guards)

    def _shape(self, field: SelectedField) -> str:
        """Return the types that the field has in the supergraph and the subgraphs, as text."""
        shape = self._shapes.get(field)
        if shape is None:
            definition = self._supergraph.types[min(field.on)].fields[field.name]
            others = sorted({print_ast(join.type) for join in definition.joins.values() if join.type})
            shape = self._shapes[field] = "|".join([print_ast(field.type), *others])
        return shape
