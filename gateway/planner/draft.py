"""The plan as far as it is made: its steps, and which of them what is placed next may use.

1. Steps are only added. A root step asks for root fields, an entity step enters a subgraph for objects of a position;
   an entity step that fits is used again.
2. In a mutation, the steps of one root field are a barrier to the next: its steps come after all of them.
3. A deferred fragment has steps of its own. They use objects from the first answer, from the fragments around it and
   from itself, never from a fragment beside it.

Invariant: a step has a later stage than every step that it waits for.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.graph import SubgraphIndex
from gateway.operation.document import Operation
from gateway.planner.cost import Slot
from gateway.planner.steps import Level, Position, Presence, Requirement, Step

__all__ = ["Draft"]


class Draft:
    """The steps of one operation and where their objects lie.

    Attributes:
        steps: in the order of their making.
        root: the position of the root of the data.
        keys: internal key of each client field at its position, by the identities of both.
        slots: requests that the plan has.
        stages: the same by subgraph.
        part: number of the deferred fragment that is being placed, None for the first answer.
        first_stage: where root steps run.
        deadline: stage until which the plan needs requests anyway; to finish before it is worth nothing.
    """

    def __init__(self, index: SubgraphIndex, operation: Operation) -> None:
        self._index = index
        self._deferred = operation.deferred
        self._root_type = operation.root_type
        self._barrier: tuple[Step, ...] = ()
        self._visible: set[int | None] = {None}
        self.steps: list[Step] = []
        self.root = Position(frozenset({operation.root_type}), (), None, None)
        self.keys: dict[tuple[int, int], str] = {}
        self.slots: set[Slot] = set()
        self.stages: dict[str, set[int]] = {}
        self.part: int | None = None
        self.first_stage = 1
        self.deadline = 0

    # --- what may be used ------------------------------------------------------------------------------------------

    def raise_barrier(self) -> None:
        """Let root steps from now on wait for every step that there is."""
        self._barrier = tuple(self.steps)
        self.first_stage = 1 + max((step.stage for step in self._barrier), default=0)

    def begin_part(self, part: int) -> None:
        """Let steps from now on belong to a deferred fragment."""
        self.part, self.deadline = part, 0
        self._visible = {part, None}
        parent = self._deferred[part].parent
        while parent is not None:
            self._visible.add(parent)
            parent = self._deferred[parent].parent

    def at_hand(self, position: Position) -> list[Presence]:
        """Return the presences of a position without those that only other deferred fragments ask for."""
        if not self._deferred:
            return position.presences
        return [presence for presence in position.presences if presence.step.part in self._visible]

    def root_step(self, subgraph: str) -> Step | None:
        """Return the root step that a root field of the subgraph can join, None when it needs one of its own."""
        for presence in self.root.presences:
            step = presence.step
            if step.subgraph == subgraph and step not in self._barrier and step.part == self.part:
                return step
        if self._barrier and self.root.presences:
            last = self.root.presences[-1].step
            if last.subgraph == subgraph and self.steps[-1] is last:
                return last
        return None

    # --- adding steps ----------------------------------------------------------------------------------------------

    def enter_root(self, subgraph: str) -> Step:
        """Return a new root step."""
        step = self._add(subgraph, self.first_stage, None)
        step.after |= {before for before in self._barrier if not self._is_followed(before)}
        level = step.branches[self._root_type] = Level(self._root_type)
        types = frozenset({self._root_type})
        self.root.presences.append(Presence(step, level, self._root_type, types, untyped=False, provided=()))
        return step

    def _is_followed(self, step: Step) -> bool:
        return any(step in other.after for other in self._barrier)

    def enter(
        self, position: Position, subgraph: str, providers: set[Step], requirements: Mapping[str, Requirement]
    ) -> Step:
        """Return an entity step in which the objects of a position are at hand.

        Args:
            position: where the objects are.
            subgraph: where they are sent to.
            providers: the steps that give what represents them.
            requirements: how objects of each type to enter are represented.
        """
        step = self._find(position, subgraph, 1 + max(one.stage for one in providers), requirements)
        step.after |= providers
        for type_name, requirement in requirements.items():
            self._open_branch(position, step, type_name, requirement)
        return step

    def _find(self, position: Position, subgraph: str, stage: int, requirements: Mapping[str, Requirement]) -> Step:
        for step in position.steps.get(subgraph, ()):
            fits = all(
                name not in step.requirements or step.requirements[name].typename == requirement.typename
                for name, requirement in requirements.items()
            )
            if fits and step.stage >= stage and step.part == self.part:
                return step
        step = self._add(subgraph, stage, position)
        position.steps.setdefault(subgraph, []).append(step)
        position.steps[subgraph].sort(key=lambda one: one.stage)
        return step

    def _add(self, subgraph: str, stage: int, position: Position | None) -> Step:
        step = Step(len(self.steps), subgraph, stage, position, part=self.part)
        self.steps.append(step)
        self.slots.add((stage, subgraph))
        self.stages.setdefault(subgraph, set()).add(stage)
        return step

    def _open_branch(self, position: Position, step: Step, type_name: str, requirement: Requirement) -> None:
        known = step.requirements.get(type_name)
        if known is None:
            step.requirements[type_name] = requirement
        else:
            known.selections.extend(item for item in requirement.selections if item not in known.selections)
        name = requirement.typename
        if name not in step.branches:
            step.branches[name] = Level(name)
        level = step.branches[name]
        for presence in self.at_hand(position):
            if presence.level is level:
                presence.types |= {type_name}
                return
        untyped = self._index.is_interface_object(step.subgraph, name)
        position.presences.append(Presence(step, level, name, frozenset({type_name}), untyped, ()))

    # --- finishing -------------------------------------------------------------------------------------------------

    def widen_guards(self) -> None:
        """Let every step run whenever one that reads it does: what is sent for an entity must be there to be sent."""
        for step in sorted(self.steps, key=lambda one: one.stage, reverse=True):
            if step.position is not None:  # root steps read nothing; mutations only wait for their turn
                for provider in step.after:
                    provider.use(step.guards or ())
