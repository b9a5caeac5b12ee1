"""Enter a subgraph: make a step in which objects are at hand there.

1. At the root nothing is needed; at a field that returns the query type nothing but the object itself.
2. Elsewhere the objects are represented by a key, with what the field requires and what it reads from contexts. The
   step runs one stage after everything that it sends.

Invariant: the types of the objects, and of those above them, are told before the step where the way depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.graph import SubgraphIndex
from gateway.plan.nodes import ContextRead
from gateway.planner.choose.contexts import Contexts
from gateway.planner.choose.placement import Placement
from gateway.planner.choose.represent import Representations
from gateway.planner.choose.typenames import Typenames
from gateway.planner.draft import Draft
from gateway.planner.estimate import Estimator
from gateway.planner.rank import Way
from gateway.planner.steps import ContextUse, Position, Requirement, Step
from gateway.supergraph import ContextArgument

__all__ = ["Entries"]


class Entries:
    """Enters subgraphs in a draft."""

    def __init__(
        self,
        index: SubgraphIndex,
        draft: Draft,
        estimator: Estimator,
        typenames: Typenames,
        representations: Representations,
        contexts: Contexts,
    ) -> None:
        self._query_types = frozenset({index.query_type})
        self._draft = draft
        self._estimator = estimator
        self._typenames = typenames
        self._representations = representations
        self._contexts = contexts

    def enter(self, placement: Placement, types: Sequence[str], way: Way) -> Step:
        """Return a step in which objects of these types are at hand in a subgraph and the field is resolvable.

        Raises:
            PlanningError: NO_PATH, REQUIREMENT_CYCLE.
        """
        position = placement.position
        if position.parent is None:
            return self._draft.root_step(way.subgraph) or self._draft.enter_root(way.subgraph)
        if position.types == self._query_types:
            return self._enter_nested_root(position, way.subgraph)
        return self._enter_by_key(placement, types, way)

    def _enter_nested_root(self, position: Position, subgraph: str) -> Step:
        """Return a step that asks for root fields where a field returns the query type; that needs no key."""
        providers = self._typenames.show(position, position.types) | self._typenames.show_above(position)
        step = self._draft.enter(position, subgraph, providers, {name: Requirement(name) for name in position.types})
        step.enters_root = True
        return step

    def _enter_by_key(self, placement: Placement, types: Sequence[str], way: Way) -> Step:
        position, field, subgraph = placement.position, placement.field, way.subgraph
        joins = {type_name: self._estimator.places.entering(subgraph, type_name, field.name) for type_name in types}
        providers: set[Step] = set()
        requirements: dict[str, Requirement] = {}
        for type_name, (owner, join) in joins.items():
            found, requirements[type_name] = self._representations.represent(placement, type_name, way, owner, join)
            providers |= found
        reads: dict[ContextArgument, tuple[ContextRead, ...]] = {}
        for _, join in joins.values():
            for argument in join.contexts if join is not None else ():
                if argument not in reads:
                    found, reads[argument] = self._contexts.read(placement, argument)
                    providers |= found
        told = frozenset(name for name in types if requirements[name].typename == name)
        providers |= self._typenames.show(position, frozenset(types), told) | self._typenames.show_above(position)
        step = self._draft.enter(position, subgraph, providers, requirements)
        for type_name, (owner, join) in joins.items():
            if join is not None and (join.requires or join.contexts):
                step.satisfied.add((owner, field.name, type_name))
        for argument, places in reads.items():
            variable = f"c{step.number}_{len(step.contexts)}"
            step.contexts.setdefault(argument, ContextUse(variable, argument.type, places))
        return step
