"""Can every field that a client may ask for be resolved?

A breadth-first walk over states: a type, the subgraphs that have its objects at hand, and the contexts that are set on
the way. A field fails when no subgraph at hand, or reachable by keys from one at hand, resolves it; the error shows an
operation that runs into it. Each state is visited once, so the walk is bounded by types x distinct sets of subgraphs
and contexts that really occur.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphql.language import Node

from gateway.composition.codes import Fault, Hint
from gateway.composition.diagnostics import Diagnostics
from gateway.composition.places import find_places
from gateway.composition.subgraph_set import Subgraph
from gateway.graph import Place, Places, SubgraphIndex
from gateway.operation.document import SelectedField
from gateway.supergraph import FieldDefinition, Supergraph, named_type

__all__ = ["check_satisfiability"]

MAX_ERRORS = 50
"""Most errors that are reported; what follows is usually the same fault again."""

MAX_STATES = 200_000
"""Most states that are visited."""


@dataclass(frozen=True, slots=True)
class _State:
    """Objects of a type; ``contexts`` are those that they or an object around them set, as far as fields read them."""

    type_name: str
    places: frozenset[Place]
    contexts: frozenset[str]


def check_satisfiability(supergraph: Supergraph, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
    """Report fields that composition lets clients see but nothing can resolve."""
    _Walk(supergraph, subgraphs, diagnostics).run()


class _Walk:
    def __init__(self, supergraph: Supergraph, subgraphs: Sequence[Subgraph], diagnostics: Diagnostics) -> None:
        joins = [
            join
            for type_ in supergraph.types.values()
            for field in type_.fields.values()
            for join in field.joins.values()
        ]
        labels = frozenset(join.override_label for join in joins if join.override_label)
        self._read_contexts = frozenset(one.context for join in joins for one in join.contexts)
        self._supergraph = supergraph
        self._subgraphs = subgraphs
        self._indexes = [SubgraphIndex(supergraph)] + ([SubgraphIndex(supergraph, labels)] if labels else [])
        self._index = self._indexes[0]
        self._diagnostics = diagnostics
        self._reported: set[str] = set()
        self._compared: set[tuple[str, frozenset[Place]]] = set()

    def run(self) -> None:
        for index in self._indexes:
            self._index = index
            self._steps = Places(index)
            self._walk()

    def _walk(self) -> None:
        queue: deque[tuple[_State, tuple[str, ...]]] = deque()
        seen: set[_State] = set()
        for kind, root in self._supergraph.root_types.items():
            queue.append((_State(root, self._roots(root), frozenset()), (kind,)))
        while queue and len(seen) < MAX_STATES and len(self._reported) < MAX_ERRORS:
            state, path = queue.popleft()
            for field in self._supergraph.types[state.type_name].fields.values():
                for found in self._step(state, field, path):
                    if found not in seen:
                        seen.add(found)
                        condition = () if found.type_name == named_type(field.type) else (f"... on {found.type_name}",)
                        queue.append((found, (*path, field.name, *condition)))

    def _roots(self, root: str) -> frozenset[Place]:
        return frozenset(Place(name, root) for name in self._index.subgraph_names)

    def _step(self, state: _State, field: FieldDefinition, path: tuple[str, ...]) -> Iterable[_State]:
        targets = self._targets(state, field)
        if not targets:
            self._report_unresolved(state, field, path)
            return
        declared = named_type(field.type)
        if declared == self._supergraph.root_types["query"]:
            yield _State(declared, self._roots(declared), self._contexts(state, declared))
            return
        self._compare_runtime_types(state.type_name, field, targets)
        for target in self._supergraph.possible_types.get(declared, ()):
            if self._supergraph.types[target].kind != "object":
                continue
            at_hand = frozenset(
                place for place in targets if target in self._index.possible(place.subgraph, place.declared)
            )
            if at_hand and self._is_known(state, field, target, at_hand, path):
                yield _State(target, at_hand, self._contexts(state, target))

    def _contexts(self, state: _State, target: str) -> frozenset[str]:
        if not self._read_contexts:
            return state.contexts
        return state.contexts | (self._read_contexts & set(self._supergraph.contexts_of(target)))

    def _targets(self, state: _State, field: FieldDefinition) -> frozenset[Place]:
        """Return the places of a field's objects, over every subgraph that can resolve it from here."""
        type_name = state.type_name
        selected = SelectedField(
            field.name, field.name, (), "", frozenset({type_name}), field.type, named_type(field.type), (), ()
        )
        found: set[Place] = set()
        is_root = type_name in self._supergraph.root_types.values()
        for place in state.places:
            below = self._steps.below(place, type_name, selected)
            if below is not None and self._has_contexts(state, field, place.subgraph):
                found.add(below)
            if is_root:
                continue
            untyped = self._index.is_interface_object(place.subgraph, place.declared)
            for hop in self._index.options(
                type_name, field.name, place.subgraph, untyped=untyped, given=place.given(type_name)
            ):
                if hop.level > 0 and self._has_contexts(state, field, hop.subgraph):
                    found.add(self._steps.entered(hop.subgraph, type_name, selected))
        return frozenset(found)

    def _has_contexts(self, state: _State, field: FieldDefinition, subgraph: str) -> bool:
        join = field.joins.get(subgraph)
        return join is None or all(one.context in state.contexts for one in join.contexts)

    # --- faults ----------------------------------------------------------------------------------------------------

    def _is_known(
        self, state: _State, field: FieldDefinition, target: str, at_hand: frozenset[Place], path: tuple[str, ...]
    ) -> bool:
        """Report objects of which no subgraph tells the type, because they are only known as interface objects."""
        if any(not self._index.is_interface_object(place.subgraph, place.declared) for place in at_hand):
            return True
        if any(self._index.tells_type(target, place.subgraph) for place in at_hand):
            return True
        coordinate = f"{state.type_name}.{field.name}"
        names = sorted({place.subgraph for place in at_hand})
        example = _example((*path, field.name, f"... on {target}"))
        self._report(
            coordinate,
            f"{coordinate} cannot be resolved: {example} needs to know the type of the object, which "
            f"{', '.join(names)} has as an interface object only, and no subgraph that knows it has a key on "
            f"{named_type(field.type)}",
            names,
        )
        return False

    def _compare_runtime_types(self, type_name: str, field: FieldDefinition, targets: frozenset[Place]) -> None:
        """Report shared fields of which the subgraphs cannot return the same object, hint where they might not."""
        declared = named_type(field.type)
        definition = self._supergraph.types.get(declared)
        if len(targets) < 2 or definition is None or definition.kind not in {"interface", "union"}:
            return
        coordinate = f"{type_name}.{field.name}"
        if (coordinate, targets) in self._compared:
            return
        self._compared.add((coordinate, targets))
        types: dict[str, frozenset[str]] = {}
        for place in sorted(targets, key=lambda one: (one.subgraph, one.declared)):
            is_object = self._supergraph.types[place.declared].kind == "object"
            if is_object or self._index.is_interface_object(place.subgraph, place.declared):
                continue
            types[place.subgraph] = self._index.possible(place.subgraph, place.declared) & self._objects(declared)
        if len(types) < 2 or not any(types.values()) or len(set(types.values())) == 1:
            return
        listed = "; ".join(f"{name} returns {', '.join(sorted(found)) or 'nothing'}" for name, found in types.items())
        if frozenset.intersection(*types.values()):
            self._diagnostics.hint(
                Hint.INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN,
                f"{coordinate} is shared, but its subgraphs can return different types: {listed}",
                coordinate=coordinate,
                at=self._places(coordinate, types),
            )
            return
        self._diagnostics.error(
            Fault.SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES,
            f"{coordinate} is shared, but its subgraphs have no type in common that they can return: {listed}",
            coordinate=coordinate,
            at=self._places(coordinate, types),
        )

    def _objects(self, declared: str) -> frozenset[str]:
        return frozenset(self._supergraph.possible_types[declared])

    def _report_unresolved(self, state: _State, field: FieldDefinition, path: tuple[str, ...]) -> None:
        coordinate = f"{state.type_name}.{field.name}"
        owners = ", ".join(field.joins) or "no subgraph"
        at_hand = ", ".join(sorted({place.subgraph for place in state.places}))
        unset = sorted({one.context for join in field.joins.values() for one in join.contexts} - state.contexts)
        why = f"nothing on the way sets the context {unset[0]}" if unset else "no key leads there"
        self._report(
            coordinate,
            f"{coordinate} cannot be resolved: {_example((*path, field.name))} has {state.type_name} at hand in "
            f"{at_hand}, the field is in {owners}, and {why}",
            sorted({*field.joins, *(place.subgraph for place in state.places)}),
        )

    def _report(self, coordinate: str, message: str, subgraphs: Iterable[str]) -> None:
        if coordinate in self._reported:
            return
        self._reported.add(coordinate)
        self._diagnostics.error(
            Fault.SATISFIABILITY_ERROR, message, coordinate=coordinate, at=self._places(coordinate, subgraphs)
        )

    def _places(self, coordinate: str, names: Iterable[str]) -> list[tuple[str, Node | None]]:
        """Return where each of the named subgraphs defines a field, or at least its type."""
        concerned = set(names)
        found = [
            find_places([one], coordinate) or [(one.name, None)] for one in self._subgraphs if one.name in concerned
        ]
        return [place for places in found for place in places]


def _example(path: tuple[str, ...]) -> str:
    text = ""
    for part in reversed(path):
        text = f"{part} {{ {text} }}" if text else part
    return text
