"""The scratch state of planning: steps (fetches to be), what each selects, and where objects are at hand.

- A :class:`Step` is one fetch. It selects through :class:`Level` objects, one per selection set.
- A :class:`Position` is a place in the merged data. A :class:`Presence` says that a step has the objects of a position
  in its answer, at a level to which more fields can be added.

Nothing of this leaves the planner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from graphql.language import ListTypeNode, NonNullTypeNode

from gateway.operation.document import SelectedField
from gateway.plan.nodes import ContextRead, FieldStep, Guard, ListStep, Path, RequiredSelection, TypeStep
from gateway.supergraph import ContextArgument

__all__ = ["ContextUse", "Item", "Level", "Position", "Presence", "Requirement", "Step", "list_depth"]


@dataclass(eq=False, slots=True)
class Item:
    """A selected field. ``guards`` None means not decided yet, () means unconditional.

    ``contexts`` pairs arguments that clients do not see with the variables that carry their values.
    """

    key: str
    selected: SelectedField
    guards: tuple[Guard, ...] | None = None
    level: Level | None = None
    contexts: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False, slots=True)
class Level:
    """A selection set on ``declared`` (a type of the step's subgraph).

    ``items`` is keyed by the object types for which the items are selected, None when that needs no type condition.
    """

    declared: str
    typename: bool = False
    items: dict[frozenset[str] | None, dict[tuple[str, int], Item]] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Requirement:
    """How objects of one type are represented for an entity step."""

    typename: str
    selections: list[RequiredSelection] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ContextUse:
    """A value that a step reads from a context: the variable that carries it and the places where it may lie."""

    variable: str
    type: str
    reads: tuple[ContextRead, ...]


@dataclass(eq=False, slots=True)
class Step:
    """A fetch. Root steps have ``position`` None and one branch, the root type; entity steps one per type entered.

    Attributes:
        enters_root: a root step below the root, where a field returns the query type; it asks for root fields.
        contexts: what the step reads from contexts.
        part: number of the deferred fragment that alone needs the step, None when the first answer does.
    """

    number: int
    subgraph: str
    stage: int
    position: Position | None
    branches: dict[str, Level] = field(default_factory=dict)
    after: set[Step] = field(default_factory=set)
    requirements: dict[str, Requirement] = field(default_factory=dict)
    satisfied: set[tuple[str, str, str]] = field(default_factory=set)
    guards: frozenset[Guard] | None = None
    enters_root: bool = False
    contexts: dict[ContextArgument, ContextUse] = field(default_factory=dict)
    part: int | None = None

    @property
    def is_alone(self) -> bool:
        """True when the step is a request of its own, whatever else goes to its subgraph."""
        return self.position is None or self.enters_root or bool(self.contexts)

    def use(self, guards: Iterable[Guard]) -> None:
        """Take note that something under these guards needs the step; what all have in common guards the fetch."""
        found = frozenset(guards)
        self.guards = found if self.guards is None else self.guards & found


@dataclass(eq=False, slots=True)
class Presence:
    """Objects of a position in the answer of a step.

    Attributes:
        declared: type of the subgraph under which they are selected.
        types: object types that they can have there.
        untyped: they are held as an interface object, their ``__typename`` is not known.
        provided: fields that ``@provides`` makes resolvable here.
    """

    step: Step
    level: Level
    declared: str
    types: frozenset[str]
    untyped: bool
    provided: tuple[SelectedField, ...]

    @property
    def subgraph(self) -> str:
        """Name of the subgraph."""
        return self.step.subgraph


@dataclass(eq=False, slots=True)
class Position:
    """A place in the merged data.

    Attributes:
        types: object types that an object here can have.
        path: from the root of the data.
        parent, selected: how one comes here; None at the root.
        guards: guards of every field on the way, where they are plain conjunctions.
        bindings: internal key -> what it stands for, so that no two meanings share a key.
    """

    types: frozenset[str]
    path: Path
    parent: Position | None
    selected: SelectedField | None
    guards: tuple[Guard, ...] = ()
    presences: list[Presence] = field(default_factory=list)
    bindings: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    children: dict[tuple[str, frozenset[str]], Position] = field(default_factory=dict)
    items: dict[tuple[int, str, frozenset[str]], Item] = field(default_factory=dict)
    steps: dict[str, list[Step]] = field(default_factory=dict)

    def bind(self, selected: SelectedField, shape: str, preferred: str) -> str:
        """Return the internal key of a field here, an alias when another field has the preferred one."""
        meaning = (selected.name, selected.arguments_text, shape)
        key, number = preferred, 0
        while not self._is_free(key, meaning):
            number += 1
            key = f"_{number}_{preferred}"
        self.bindings.setdefault(key, meaning)
        return key

    def find(self, selected: SelectedField, shape: str) -> str | None:
        """Return the internal key under which the same field is selected already, None when it is not."""
        meaning = (selected.name, selected.arguments_text, shape)
        return next((key for key, bound in self.bindings.items() if bound == meaning), None)

    def _is_free(self, key: str, meaning: tuple[str, str, str]) -> bool:
        return self.bindings.get(key, meaning) == meaning

    def child(self, key: str, selected: SelectedField, types: frozenset[str], guards: tuple[Guard, ...]) -> Position:
        """Return the position below a field, made on first use."""
        on = selected.on & self.types
        found = self.children.get((key, on))
        if found is None:
            steps = self.path if on == self.types else (*self.path, TypeStep(tuple(sorted(on))))
            path = (*steps, FieldStep(key), *(ListStep() for _ in range(list_depth(selected))))
            found = self.children[key, on] = Position(types, path, self, selected, guards)
        return found


def list_depth(selected: SelectedField) -> int:
    """Return how many lists a field's type nests."""
    depth, type_ = 0, selected.type
    while isinstance(type_, ListTypeNode | NonNullTypeNode):
        depth += isinstance(type_, ListTypeNode)
        type_ = type_.type
    return depth
