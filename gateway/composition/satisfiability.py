"""Can every field that a client may ask for be resolved?

A breadth-first walk over states (type, the subgraphs that have its objects at hand). A field fails when no subgraph at
hand, or reachable by keys from one at hand, resolves it; the error shows an operation that runs into it. Each state is
visited once, so the walk is bounded by types x distinct sets of subgraphs that really occur.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from gateway.composition.diagnostics import Diagnostics
from gateway.graph import SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.operation.normalize import named_type
from gateway.planner.estimate import Estimator, Place
from gateway.supergraph import Supergraph

__all__ = ["check_satisfiability"]

MAX_ERRORS = 50
"""Most errors that are reported; what follows is usually the same fault again."""

MAX_STATES = 200_000
"""Most states that are visited."""

_State = tuple[str, frozenset[Place]]


def check_satisfiability(supergraph: Supergraph, diagnostics: Diagnostics) -> None:
    """Report fields that composition lets clients see but nothing can resolve."""
    _Walk(supergraph, diagnostics).run()


class _Walk:
    def __init__(self, supergraph: Supergraph, diagnostics: Diagnostics) -> None:
        labels = frozenset(
            join.override_label
            for type_ in supergraph.types.values()
            for field in type_.fields.values()
            for join in field.joins.values()
            if join.override_label
        )
        self._supergraph = supergraph
        self._indexes = [SubgraphIndex(supergraph)] + ([SubgraphIndex(supergraph, labels)] if labels else [])
        self._index = self._indexes[0]
        self._diagnostics = diagnostics
        self._reported: set[str] = set()

    def run(self) -> None:
        for index in self._indexes:
            self._index = index
            self._estimator = Estimator(index)
            self._walk()

    def _walk(self) -> None:
        queue: deque[tuple[_State, tuple[str, ...]]] = deque()
        seen: set[_State] = set()
        for kind, root in self._supergraph.root_types.items():
            places = frozenset(Place(name, root) for name in self._index.subgraph_names)
            queue.append(((root, places), (kind,)))
        while queue and len(seen) < MAX_STATES and len(self._reported) < MAX_ERRORS:
            (type_name, places), path = queue.popleft()
            for field in self._supergraph.types[type_name].fields.values():
                for state in self._step(type_name, places, field.name, path):
                    if state not in seen:
                        seen.add(state)
                        condition = () if state[0] == named_type(field.type) else (f"... on {state[0]}",)
                        queue.append((state, (*path, field.name, *condition)))

    def _step(self, type_name: str, places: frozenset[Place], field: str, path: tuple[str, ...]) -> Iterable[_State]:
        targets = self._targets(type_name, places, field)
        if not targets:
            self._report(type_name, places, field, path)
            return
        declared = named_type(self._supergraph.types[type_name].fields[field].type)
        for target in self._supergraph.possible_types.get(declared, ()):
            if self._supergraph.types[target].kind != "object":
                continue
            at_hand = frozenset(
                place for place in targets if target in self._index.possible(place.subgraph, place.declared)
            )
            if at_hand:
                yield target, at_hand

    def _targets(self, type_name: str, places: frozenset[Place], field: str) -> frozenset[Place]:
        """Return the places of a field's objects, over every subgraph that can resolve it from here."""
        definition = self._supergraph.types[type_name].fields[field]
        selected = SelectedField(
            field, field, (), "", frozenset({type_name}), definition.type, named_type(definition.type), (), ()
        )
        found: set[Place] = set()
        is_root = type_name in self._supergraph.root_types.values()
        for place in places:
            below = self._below(place, type_name, selected)
            if below is not None:
                found.add(below)
            if is_root:
                continue
            untyped = self._index.is_interface_object(place.subgraph, place.declared)
            for hop in self._index.options(
                type_name, field, place.subgraph, untyped=untyped, given=place.given(type_name)
            ):
                if hop.level > 0:
                    found.add(self._estimator.entered(hop.subgraph, type_name, selected))
        return frozenset(found)

    def _below(self, place: Place, type_name: str, selected: SelectedField) -> Place | None:
        return self._estimator.below(place, type_name, selected)

    def _report(self, type_name: str, places: frozenset[Place], field: str, path: tuple[str, ...]) -> None:
        coordinate = f"{type_name}.{field}"
        if coordinate in self._reported:
            return
        self._reported.add(coordinate)
        joins = self._supergraph.types[type_name].fields[field].joins
        owners = ", ".join(joins) or "no subgraph"
        at_hand = ", ".join(sorted({place.subgraph for place in places}))
        self._diagnostics.error(
            "SATISFIABILITY_ERROR",
            f"{coordinate} cannot be resolved: {_example((*path, field))} has {type_name} at hand in {at_hand}, "
            f"the field is in {owners}, and no key leads there",
            coordinate=coordinate,
            at=[(name, None) for name in sorted({*joins, *(place.subgraph for place in places)})],
        )


def _example(path: tuple[str, ...]) -> str:
    text = ""
    for part in reversed(path):
        text = f"{part} {{ {text} }}" if text else part
    return text
