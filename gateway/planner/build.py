"""Decide where each field comes from and build the steps that fetch it.

1. Fields wait in a work list. A field with one best way is placed at once; one with several equal ways waits until the
   others are placed, so that it can use requests that exist by then.
2. Placing a field on objects at hand adds it to the selection of a step. Entering another subgraph first places the
   fields of its key and of ``@requires``, then adds an entity step one stage after all of them.
3. When no entity fetch leads to a field, the objects are asked for again through another subgraph that resolves the way
   to them (shared root fields and value types).
4. Deferred fragments come last, outer before inner. Each gets steps of its own that use objects of the steps around it
   by key, never those of another fragment.

Types that are asked for in the same way are handled as one group. No choice is ever taken back, so the cost is the
number of fields times the number of subgraphs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphql import print_ast

from gateway.errors import ErrorCode, PlanningError
from gateway.graph import SubgraphIndex
from gateway.graph.index import EntityKey
from gateway.operation.document import Operation, SelectedField
from gateway.plan.nodes import ContextRead, Guard, RequiredField, RequiredFragment, RequiredSelection
from gateway.planner.estimate import Estimator, Place, leaves_given
from gateway.planner.rank import Ranking, Way
from gateway.planner.steps import ContextUse, Item, Level, Position, Presence, Requirement, Step
from gateway.supergraph import ContextArgument, JoinField

__all__ = ["Draft", "PlanBuilder"]

MAX_PLACEMENTS = 200_000
"""Most field placements of one plan; far above any real operation, so that a defect ends as an error and not a hang."""


@dataclass(eq=False, slots=True)
class Draft:
    """The outcome: steps in the order of their making, and the internal key of each client field at its position."""

    steps: list[Step]
    root: Position
    keys: dict[tuple[int, int], str]


class PlanBuilder:
    """Builds the steps of one operation."""

    def __init__(self, index: SubgraphIndex, operation: Operation) -> None:
        self._index = index
        self._operation = operation
        self._estimator = Estimator(index)
        self._steps: list[Step] = []
        self._ranking = Ranking(self._estimator)
        self._keys: dict[tuple[int, int], str] = {}
        self._budget = MAX_PLACEMENTS
        self._restricted: dict[tuple[int, str], SelectedField] = {}
        self._kept: list[SelectedField] = []
        self._requiring: list[tuple[int, str, str]] = []
        self._entering: list[tuple[int, str]] = []
        self._barrier: tuple[Step, ...] = ()
        self._part: int | None = None
        self._visible: set[int | None] = {None}
        self._children: dict[tuple[int, int], Position] = {}
        self._root = Position(frozenset({operation.root_type}), (), None, None)

    def build(self) -> Draft:
        """Place every field of the operation.

        Raises:
            PlanningError: NO_PATH, REQUIREMENT_CYCLE or PLAN_BUDGET_EXCEEDED.
        """
        first = [field for field in self._operation.fields if not field.deferred]
        if self._operation.kind == "mutation":
            for field in first:
                self._barrier = tuple(self._steps)
                self._place_all([field])
        else:
            self._place_all(first)
        for part, fragment in enumerate(self._operation.deferred):
            self._place_part(part, fragment.parent)
        self._widen_guards()
        return Draft(self._steps, self._root, self._keys)

    def _widen_guards(self) -> None:
        """Let every step run whenever one that reads it does: what is sent for an entity must be there to be sent."""
        for step in sorted(self._steps, key=lambda one: one.stage, reverse=True):
            if step.position is not None:  # root steps read nothing; mutations only wait for their turn
                for provider in step.after:
                    provider.use(step.guards or ())

    def _place_all(self, fields: Sequence[SelectedField]) -> None:
        first = self._first_stage()
        estimates = [self._root_estimate(field, first) for field in fields if field.name != "__typename"]
        self._ranking.deadline = max(estimates, default=0)
        self._place_from((self._root, field) for field in fields)

    def _place_part(self, part: int, parent: int | None) -> None:
        """Place what a deferred fragment delivers, in steps of its own wherever objects can be entered by a key."""
        self._part, self._ranking.deadline = part, 0
        self._visible = {part, None}
        while parent is not None:
            self._visible.add(parent)
            parent = self._operation.deferred[parent].parent
        self._place_from(list(self._deferred_fields(self._root, self._operation.fields, part)))

    def _deferred_fields(
        self, position: Position, fields: Iterable[SelectedField], part: int
    ) -> Iterable[tuple[Position, SelectedField]]:
        for field in fields:
            child = self._children.get((id(field), id(position)))
            if part in field.deferred:
                yield position, field
            elif child is not None:
                yield from self._deferred_fields(child, field.fields, part)

    def _belongs(self, field: SelectedField) -> bool:
        return not field.deferred if self._part is None else self._part in field.deferred

    def _at_hand(self, position: Position) -> list[Presence]:
        """Return the presences of a position without those that only other deferred fragments ask for."""
        if not self._operation.deferred:
            return position.presences
        return [presence for presence in position.presences if presence.step.part in self._visible]

    def _place_from(self, fields: Iterable[tuple[Position, SelectedField]]) -> None:
        ready = deque((position, field, True) for position, field in fields)
        waiting: deque[tuple[Position, SelectedField, bool]] = deque()
        while ready or waiting:
            position, field, patient = ready.popleft() if ready else (*waiting.popleft()[:2], False)
            if patient and self._is_open(position, field):
                waiting.append((position, field, False))
                continue
            child = self._place_client_field(position, field)
            if child is not None:
                self._children[id(field), id(position)] = child
                ready.extend((child, inner, True) for inner in field.fields if self._belongs(inner))

    def _first_stage(self) -> int:
        return 1 + max((step.stage for step in self._barrier), default=0)

    def _root_estimate(self, field: SelectedField, first: int) -> int:
        root = self._operation.root_type
        found = [
            first + self._estimator.estimate(field.fields, self._estimator.entered(name, root, field)).depth
            if field.fields
            else first
            for name in self._index.subgraph_names
            if self._index.local(name, root, field.name)
        ]
        return min(found, default=first)

    # --- choosing --------------------------------------------------------------------------------------------------

    def _ways(self, position: Position, type_name: str, field: SelectedField) -> tuple[Way, ...]:
        ways: dict[tuple[str, int, int], Way] = {}
        if position.parent is None:
            for name in self._index.subgraph_names:
                if self._index.local(name, type_name, field.name):
                    step = self._root_step_of(name)
                    ways[name, 0, step.number if step else -1] = Way(
                        name, step.stage if step else self._first_stage(), step
                    )
            return tuple(ways.values())
        earlier: list[Way] = []
        for presence in self._at_hand(position):
            if type_name not in presence.types:
                continue
            step = presence.step
            if self._holds(position, presence, type_name, field):
                way = Way(presence.subgraph, step.stage, step)
                if step.part == self._part or self._entering:
                    ways[presence.subgraph, step.stage, step.number] = way
                elif self._index.keys(presence.subgraph, type_name):
                    ways[presence.subgraph, -1, -1] = Way(presence.subgraph, step.stage + 1, None)
                else:
                    earlier.append(way)
            given = leaves_given(presence.provided, type_name)
            options = self._index.options(
                type_name, field.name, presence.subgraph, untyped=presence.untyped, given=given
            )
            for hop in options:
                if hop.level == 0 or (id(position), hop.subgraph) in self._entering:  # its key cannot come from itself
                    continue
                stage = step.stage + hop.level
                known = ways.get((hop.subgraph, -1, -1))
                if known is None or stage < known.stage:
                    ways[hop.subgraph, -1, -1] = Way(hop.subgraph, stage, None)
        return tuple(ways.values()) or tuple(earlier)

    def _holds(self, position: Position, presence: Presence, type_name: str, field: SelectedField) -> bool:
        place = Place(presence.subgraph, presence.declared, presence.provided)
        if self._estimator.holder(place, type_name, field.name) is not None:
            return True
        if presence.step.position is not position:  # what is required was sent for the objects entered, not below them
            return False
        owner = presence.declared if presence.untyped else type_name
        return (owner, field.name, type_name) in presence.step.satisfied

    def _is_open(self, position: Position, field: SelectedField) -> bool:
        """Tell whether a field has several ways and the best of them needs a request that does not exist yet."""
        if field.name == "__typename":
            return False
        for type_name in sorted(field.on & position.types):
            ways = self._ways(position, type_name, field)
            if len({way.subgraph for way in ways}) < 2:
                continue
            if self._ranking.best(self._at_hand(position), type_name, field, ways).new_slots:
                return True
        return False

    # --- placing ---------------------------------------------------------------------------------------------------

    def _place_client_field(self, position: Position, field: SelectedField) -> Position | None:
        if field.name == "__typename":
            self._keys[id(field), id(position)] = self._place_typename(position, field)
            return None
        if not field.on >= position.types and position.parent is not None:
            self._ensure_typed(position, field.on)
        own = field.guards[0] if len(field.guards) == 1 else ()
        guards = (*position.guards, *own)
        key = position.bind(field, self._shape(field), field.key)
        self._keys[id(field), id(position)] = key
        self._place(position, field, key, guards, own)
        return self._child(position, field, key, guards)

    def _child(self, position: Position, field: SelectedField, key: str, guards: tuple[Guard, ...]) -> Position | None:
        if field.target is None:
            return None
        types = frozenset(self._index.supergraph.possible_types[field.target])
        return position.child(key, field, types, guards)

    def _shape(self, field: SelectedField) -> str:
        definition = self._index.supergraph.types[min(field.on)].fields[field.name]
        others = sorted({print_ast(join.type) for join in definition.joins.values() if join.type})
        return "|".join([print_ast(field.type), *others])

    def _place_typename(self, position: Position, field: SelectedField) -> str:
        if position.parent is not None:
            self._ensure_typed(position, position.types & field.on)
            for presence in self._at_hand(position):
                if not presence.untyped and presence.types & field.on:
                    presence.level.typename = True
                    presence.step.use(position.guards)
        return "__typename"

    def _place(
        self,
        position: Position,
        field: SelectedField,
        key: str,
        guards: tuple[Guard, ...],
        own: tuple[Guard, ...],
        only: str | None = None,
        latest: int | None = None,
    ) -> set[Step]:
        """Place a field for every type that it is selected on and return the steps that answer it.

        ``only`` is the subgraph to take it from, ``latest`` the last stage in which it should be at hand.
        """
        self._budget -= 1
        if self._budget < 0:
            message = f"planning needs more than {MAX_PLACEMENTS} placements; select fewer fields"
            raise PlanningError(ErrorCode.PLAN_BUDGET_EXCEEDED, message)
        on = field.on & position.types
        if only is None:
            only = self._common_interface_object(position, on, field)
        groups: dict[tuple[Way, ...], list[str]] = {}
        for type_name in sorted(on):
            ways = self._ways(position, type_name, field)
            if only is not None:
                ways = tuple(way for way in ways if way.subgraph == only)
            if not ways and only is None and self._can_occur(position, type_name):
                ways = self._detour(position, type_name, field)
            if latest is not None:
                ways = tuple(way for way in ways if way.stage <= latest) or ways
            if ways:
                groups.setdefault(ways, []).append(type_name)
        steps: set[Step] = set()
        for ways, types in groups.items():
            way = self._ranking.best(self._at_hand(position), types[0], field, ways).way
            step = way.step or self._enter(position, types, way, field, guards)
            self._select(position, step, frozenset(types), field, key, own)
            step.use(guards)
            steps.add(step)
        return steps

    def _common_interface_object(self, position: Position, on: frozenset[str], field: SelectedField) -> str | None:
        """Return a subgraph that resolves a field for objects of unknown type, None when types are known or needed."""
        if on != position.types or not all(presence.untyped for presence in self._at_hand(position)):
            return None
        subgraphs: set[str] | None = None
        for type_name in on:
            found = {
                way.subgraph
                for way in self._ways(position, type_name, field)
                if any(
                    self._index.is_interface_object(way.subgraph, interface)
                    and self._index.local(way.subgraph, interface, field.name)
                    for interface in self._index.interfaces(type_name)
                )
            }
            subgraphs = found if subgraphs is None else subgraphs & found
        return min(subgraphs) if subgraphs else None

    def _can_occur(self, position: Position, type_name: str) -> bool:
        return position.parent is None or any(type_name in presence.types for presence in self._at_hand(position))

    def _select(
        self,
        position: Position,
        step: Step,
        types: frozenset[str],
        field: SelectedField,
        key: str,
        own: tuple[Guard, ...],
    ) -> None:
        """Add a field to the selection of a step for objects of these types."""
        memo = (step.number, key, field.on & position.types)
        item = position.items.get(memo)
        if item is None:
            item = position.items[memo] = Item(key, field, own)
            item.contexts = self._contexts_of(step, types, field)
        elif item.guards != own:
            item.guards = ()
        for presence in self._at_hand(position):
            covered = presence.types & types
            if presence.step is not step or not covered:
                continue
            if field.target is not None and item.level is None:
                self._open_level(position, presence, item, min(covered), field, key)
            condition = None if self._is_plain(presence, covered, field) else covered
            presence.level.items.setdefault(condition, {})[key, id(item)] = item

    def _contexts_of(self, step: Step, types: frozenset[str], field: SelectedField) -> tuple[tuple[str, str], ...]:
        """Return the arguments of a field that are read from contexts, with the variables that carry them."""
        if not step.contexts:
            return ()
        _, join = self._entering_join(step.subgraph, min(types), field)
        arguments = join.contexts if join is not None else ()
        return tuple((one.name, step.contexts[one].variable) for one in arguments)

    def _is_plain(self, presence: Presence, covered: frozenset[str], field: SelectedField) -> bool:
        kind = self._index.supergraph.types[presence.declared].kind
        if kind == "object" or presence.untyped:
            return True
        if covered != presence.types or kind == "union":
            return False
        declared = self._index.declared(presence.subgraph, presence.declared, field.name)
        return declared is not None and not declared.external

    def _open_level(
        self, position: Position, presence: Presence, item: Item, type_name: str, field: SelectedField, key: str
    ) -> None:
        place = Place(presence.subgraph, presence.declared, presence.provided)
        below = self._estimator.below(place, type_name, field)
        if below is None:  # a field with requirements, satisfied by this step
            below = self._estimator.entered(presence.subgraph, type_name, field)
        item.level = Level(below.declared)
        child = self._child(position, field, key, (*position.guards, *(item.guards or ())))
        if child is None:
            return
        untyped = self._index.is_interface_object(below.subgraph, below.declared)
        abstract = self._index.supergraph.types[below.declared].kind != "object" or untyped or len(child.types) > 1
        item.level.typename = abstract
        child.presences.append(
            Presence(
                presence.step,
                item.level,
                below.declared,
                self._index.possible(below.subgraph, below.declared) & child.types,
                untyped,
                below.provided,
            )
        )

    # --- entering subgraphs ----------------------------------------------------------------------------------------

    def _root_step_of(self, subgraph: str) -> Step | None:
        """Return the root step that a root field of the subgraph can join, None when it needs one of its own."""
        for presence in self._root.presences:
            step = presence.step
            if step.subgraph == subgraph and step not in self._barrier and step.part == self._part:
                return step
        if self._barrier and self._root.presences:
            last = self._root.presences[-1].step
            if last.subgraph == subgraph and self._steps[-1] is last:
                return last
        return None

    def _new_step(self, subgraph: str, stage: int, position: Position | None) -> Step:
        step = Step(len(self._steps), subgraph, stage, position, part=self._part)
        self._steps.append(step)
        self._ranking.note(step)
        return step

    def _enter(
        self, position: Position, types: Sequence[str], way: Way, field: SelectedField, guards: tuple[Guard, ...]
    ) -> Step:
        """Return a step in which objects of these types are at hand in a subgraph and the field is resolvable."""
        subgraph = way.subgraph
        if position.parent is None:
            return self._root_step_of(subgraph) or self._enter_root(subgraph)
        if position.types == {self._index.query_type}:
            return self._enter_nested_root(position, subgraph)
        joins = {type_name: self._entering_join(subgraph, type_name, field) for type_name in types}
        providers: set[Step] = set()
        requirements: dict[str, Requirement] = {}
        for type_name in types:
            key = self._choose_key(position, type_name, subgraph)
            requirement = requirements[type_name] = Requirement(key.typename)
            self._entering.append((id(position), subgraph))
            found, selections = self._require(position, key.fields, type_name, guards, way.stage - 1)
            self._entering.pop()
            providers |= found
            requirement.selections.extend(selections)
            owner, join = joins[type_name]
            if join is not None and join.requires:
                needed, more = self._require_for(position, owner, join.requires, type_name, field, guards)
                providers |= needed
                requirement.selections.extend(item for item in more if item not in requirement.selections)
        reads: dict[ContextArgument, tuple[ContextRead, ...]] = {}
        for _, join in joins.values():
            for argument in join.contexts if join is not None else ():
                if argument not in reads:
                    found, reads[argument] = self._read_context(position, argument, field, guards)
                    providers |= found
        told = frozenset(name for name in types if requirements[name].typename == name)
        providers |= self._show_types(position, frozenset(types), told) | self._types_above(position)
        stage = 1 + max(step.stage for step in providers)
        step = self._find_step(position, subgraph, stage, types, requirements)
        step.after |= providers
        for type_name in types:
            self._open_branch(position, step, type_name, requirements[type_name])
            owner, join = joins[type_name]
            if join is not None and (join.requires or join.contexts):
                step.satisfied.add((owner, field.name, type_name))
        for argument, places in reads.items():
            variable = f"c{step.number}_{len(step.contexts)}"
            step.contexts.setdefault(argument, ContextUse(variable, argument.type, places))
        return step

    def _read_context(
        self, position: Position, argument: ContextArgument, field: SelectedField, guards: tuple[Guard, ...]
    ) -> tuple[set[Step], tuple[ContextRead, ...]]:
        """Place what a context gives on the objects around a position, the nearest that set it first."""
        providers: set[Step] = set()
        reads: list[ContextRead] = []
        setter: Position | None = position
        while setter is not None:
            contexts = {name: self._index.supergraph.contexts_of(name) for name in setter.types}
            setting = sorted(name for name in setter.types if argument.context in contexts[name])
            for type_name in setting:
                found, selections = self._require(
                    setter, self._index.field_set(argument.fields, type_name), type_name, guards
                )
                providers |= found
                types = (type_name,) if len(setter.types) > 1 else ()
                reads.append(ContextRead(setter.path, types, _leaf_keys(selections)))
            if setting and len(setter.types) > 1:
                providers |= self._show_types(setter, frozenset(setting))
            if len(setting) == len(setter.types):
                break
            setter = setter.parent
        if not reads:
            owner = min(field.on)
            message = f"{owner}.{field.name}: nothing around it sets the context {argument.context}"
            raise PlanningError(ErrorCode.NO_PATH, message)
        return providers, tuple(reads)

    def _enter_nested_root(self, position: Position, subgraph: str) -> Step:
        """Return a step that asks for root fields where a field returns the query type; that needs no key."""
        providers = self._show_types(position, position.types) | self._types_above(position)
        stage = 1 + max(step.stage for step in providers)
        requirements = {name: Requirement(name) for name in position.types}
        step = self._find_step(position, subgraph, stage, tuple(position.types), requirements)
        step.enters_root = True
        step.after |= providers
        for name, requirement in requirements.items():
            self._open_branch(position, step, name, requirement)
        return step

    def _enter_root(self, subgraph: str) -> Step:
        step = self._new_step(subgraph, self._first_stage(), None)
        step.after |= {before for before in self._barrier if not self._is_followed(before)}
        root = self._operation.root_type
        level = step.branches[root] = Level(root)
        self._root.presences.append(Presence(step, level, root, frozenset({root}), untyped=False, provided=()))
        return step

    def _is_followed(self, step: Step) -> bool:
        return any(step in other.after for other in self._barrier)

    def _entering_join(self, subgraph: str, type_name: str, field: SelectedField) -> tuple[str, JoinField | None]:
        for owner in (type_name, *self._index.interfaces(type_name)):
            join = self._index.local(subgraph, owner, field.name)
            if join is not None and (owner == type_name or self._index.is_interface_object(subgraph, owner)):
                return owner, join
        return type_name, None

    def _choose_key(self, position: Position, type_name: str, subgraph: str) -> EntityKey:
        typed = any(not presence.untyped and type_name in presence.types for presence in self._at_hand(position))
        best: tuple[tuple[int, int, int], EntityKey] | None = None
        for number, key in enumerate(self._index.keys(subgraph, type_name)):
            level = max(
                (self._nearest(position, field, type_name) for field in key.fields if type_name in field.on), default=0
            )
            untyped_penalty = int(not typed and key.typename == type_name)
            rank = (untyped_penalty, level, number)
            if best is None or rank < best[0]:
                best = (rank, key)
        if best is None:
            raise PlanningError(
                ErrorCode.NO_PATH, f"{type_name}: subgraph {subgraph} has no key by which it can be entered"
            )
        if best[0][0]:
            self._ensure_typed(position, frozenset({type_name}))
        return best[1]

    def _nearest(self, position: Position, field: SelectedField, type_name: str) -> int:
        return min(
            (
                presence.step.stage
                + (
                    0
                    if not field.fields and self._holds(position, presence, type_name, field)
                    else self._index.selection_level(field, type_name, presence.subgraph, untyped=presence.untyped)
                )
                for presence in self._at_hand(position)
                if type_name in presence.types
            ),
            default=0,
        )

    def _find_step(
        self,
        position: Position,
        subgraph: str,
        stage: int,
        types: Sequence[str],
        requirements: dict[str, Requirement],
    ) -> Step:
        for step in position.steps.get(subgraph, ()):
            fits = all(
                name not in step.requirements or step.requirements[name].typename == requirements[name].typename
                for name in types
            )
            if fits and step.stage >= stage and step.part == self._part:
                return step
        step = self._new_step(subgraph, stage, position)
        position.steps.setdefault(subgraph, []).append(step)
        position.steps[subgraph].sort(key=lambda one: one.stage)
        return step

    def _open_branch(self, position: Position, step: Step, type_name: str, requirement: Requirement) -> None:
        known = step.requirements.get(type_name)
        if known is None:
            step.requirements[type_name] = requirement
        else:
            known.selections.extend(item for item in requirement.selections if item not in known.selections)
        name = requirement.typename
        untyped = self._index.is_interface_object(step.subgraph, name)
        if name not in step.branches:
            step.branches[name] = Level(name)
        level = step.branches[name]
        for presence in self._at_hand(position):
            if presence.level is level:
                presence.types |= {type_name}
                return
        position.presences.append(Presence(step, level, name, frozenset({type_name}), untyped, ()))

    def _show_types(self, position: Position, types: frozenset[str], told: frozenset[str] = frozenset()) -> set[Step]:
        """Select ``__typename`` where the objects come from and return the earliest step that tells each type.

        A step that enters here knows the types already, unless it enters by an interface; that one is asked for the
        types in ``told`` only.
        """
        found: set[Step] = set()
        open_types = set(types)
        for presence in sorted(self._at_hand(position), key=lambda one: one.step.stage):
            covered = presence.types & open_types
            is_teller = presence.step.position is not position or presence.level.typename
            if covered and (is_teller or (covered & told and self._tells_types(presence))):
                presence.level.typename = True
                found.add(presence.step)
                if not presence.untyped:
                    open_types -= covered
        return found

    def _tells_types(self, presence: Presence) -> bool:
        return not presence.untyped and self._index.supergraph.types[presence.declared].kind == "interface"

    def _types_above(self, position: Position) -> set[Step]:
        """Return the steps that tell types on which the way to a position depends, where objects came without them."""
        found: set[Step] = set()
        while position.parent is not None and position.selected is not None:
            parent, on = position.parent, position.selected.on & position.parent.types
            if on != parent.types and any(presence.untyped for presence in self._at_hand(parent)):
                found |= self._show_types(parent, on, on)
            position = parent
        return found

    def _ensure_typed(self, position: Position, types: frozenset[str]) -> None:
        """Make sure that the concrete types of objects are told when they are only at hand as interface objects."""
        hidden = {
            name
            for name in types
            if any(name in one.types for one in self._at_hand(position))
            and not any(name in one.types and not one.untyped for one in self._at_hand(position))
        }
        if not hidden:
            if any(one.untyped for one in self._at_hand(position)):
                self._show_types(position, types, types)
            return
        interface = next(one.declared for one in self._at_hand(position) if one.untyped)
        everything = frozenset(self._index.supergraph.possible_types[interface]) & position.types
        for subgraph in self._index.subgraph_names:
            join = self._index.supergraph.types[interface].joins.get(subgraph)
            if join is None or join.is_interface_object or not any(resolvable for _, resolvable in join.keys):
                continue
            text = next(text for text, resolvable in join.keys if resolvable)
            possible = sorted(everything & self._index.possible(subgraph, interface))
            if not possible:
                continue
            key = EntityKey(interface, self._index.field_set(text, interface))
            providers, selections = self._require(position, key.fields, possible[0], position.guards)
            providers |= self._show_types(position, everything) | self._types_above(position)
            requirement = {name: Requirement(interface, list(selections)) for name in possible}
            stage = 1 + max(step.stage for step in providers)
            step = self._find_step(position, subgraph, stage, possible, requirement)
            step.after |= providers
            for name in possible:
                self._open_branch(position, step, name, requirement[name])
            step.branches[interface].typename = True
            step.use(position.guards)
            return
        raise PlanningError(
            ErrorCode.NO_PATH, f"{interface}: no subgraph tells the types of its objects by a key; tried all subgraphs"
        )

    # --- requirements ----------------------------------------------------------------------------------------------

    def _require_for(
        self,
        position: Position,
        owner: str,
        requires: str,
        type_name: str,
        field: SelectedField,
        guards: tuple[Guard, ...],
    ) -> tuple[set[Step], list[RequiredSelection]]:
        mark = (id(position), owner, field.name)
        if mark in self._requiring:
            cycle = " -> ".join(f"{name}.{inner}" for _, name, inner in self._requiring)
            raise PlanningError(ErrorCode.REQUIREMENT_CYCLE, f"{cycle} -> {owner}.{field.name} require each other")
        self._requiring.append(mark)
        try:
            return self._require(position, self._index.field_set(requires, type_name), type_name, guards)
        finally:
            self._requiring.pop()

    def _require(
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
                steps |= self._show_types(position, position.types)
                selections.append(RequiredField("__typename", "__typename"))
                continue
            shape = self._shape(field)
            key = position.find(field, shape) or position.bind(field, shape, field.name)
            steps |= self._place(position, self._narrowed(field, type_name), key, guards, (), latest=latest)
            child = self._required_child(position, field, type_name, key, guards)
            inner: list[RequiredSelection] = []
            if child is not None:
                below, inner = self._require(child, field.fields, None, guards, latest)
                steps |= below
                if len(child.types) > 1:
                    steps |= self._show_types(child, child.types)
                    inner.insert(0, RequiredField("__typename", "__typename"))
            required = RequiredField(field.name, key, tuple(dict.fromkeys(inner)))
            if type_name is None and field.on < position.types:
                _add_fragment(selections, field.on, required)
            else:
                selections.append(required)
        return steps, selections

    def _narrowed(self, field: SelectedField, type_name: str | None) -> SelectedField:
        return field if type_name is None or field.on == {type_name} else self._restrict(field, type_name)

    def _restrict(self, field: SelectedField, type_name: str) -> SelectedField:
        memo = self._restricted.get((id(field), type_name))
        if memo is None:
            memo = self._restricted[id(field), type_name] = SelectedField(
                field.key,
                field.name,
                field.arguments,
                field.arguments_text,
                frozenset({type_name}),
                field.type,
                field.target,
                field.guards,
                field.fields,
            )
            self._kept.append(field)
        return memo

    def _required_child(
        self, position: Position, field: SelectedField, type_name: str | None, key: str, guards: tuple[Guard, ...]
    ) -> Position | None:
        return self._child(position, self._narrowed(field, type_name), key, guards)

    # --- other ways ------------------------------------------------------------------------------------------------

    def _detour(self, position: Position, type_name: str, field: SelectedField) -> tuple[Way, ...]:
        """Ask for the objects of a position again through another subgraph, from which the field can be reached.

        Not where a field is abstract: two subgraphs need not agree on which types it returns.
        """
        if len(position.types) > 1:
            raise self._no_path(position, type_name, field)
        names = self._index.subgraph_names
        near = [name for name in names if self._index.level(type_name, field.name, name) == 0]
        far = [
            name for name in names if name not in near and self._index.level(type_name, field.name, name) < len(names)
        ]
        for subgraph in (*near, *far):
            if self._acquire(position, subgraph):
                ways = self._ways(position, type_name, field)
                if ways:
                    return ways
        raise self._no_path(position, type_name, field)

    def _no_path(self, position: Position, type_name: str, field: SelectedField) -> PlanningError:
        tried = ", ".join(f"{one.step.subgraph}" for one in self._at_hand(position)) or "no subgraph"
        return PlanningError(
            ErrorCode.NO_PATH,
            f"{type_name}.{field.name}: no subgraph that resolves it can be reached; objects are at hand in {tried}",
        )

    def _acquire(self, position: Position, subgraph: str) -> bool:
        """Make the objects of a position at hand in a subgraph by resolving the way to them there."""
        if any(presence.subgraph == subgraph for presence in self._at_hand(position)):
            return False
        parent, selected = position.parent, position.selected
        if parent is None or selected is None:
            return False
        resolves = any(self._index.local(subgraph, name, selected.name) for name in selected.on & parent.types)
        if not resolves:
            return False
        if parent.parent is not None and not any(one.subgraph == subgraph for one in self._at_hand(parent)):
            reachable = any(
                subgraph in self._index.reach(name, one.subgraph, untyped=one.untyped)
                for one in self._at_hand(parent)
                for name in one.types & selected.on
            )
            if not reachable and not self._acquire(parent, subgraph):
                return False
        key = next(step.key for step in reversed(position.path) if hasattr(step, "key"))
        return bool(self._place(parent, selected, key, position.guards, (), only=subgraph))


def _add_fragment(selections: list[RequiredSelection], types: frozenset[str], required: RequiredField) -> None:
    """Add a field for some types, to the last fragment when that says the same."""
    last = selections[-1] if selections else None
    if isinstance(last, RequiredFragment) and last.selections == (required,):
        selections[-1] = RequiredFragment(tuple(sorted({*last.types, *types})), (required,))
    else:
        selections.append(RequiredFragment(tuple(sorted(types)), (required,)))


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
