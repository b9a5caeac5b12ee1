"""Compile a plan: everything about it that is the same for each request is worked out once.

1. Each fetch gets the constant start of its request body and its compiled entity calls.
2. Dependencies are turned round: each fetch knows who waits for it, and how many it waits for.
3. Shapes and projections are made when first needed, one set per combination of guard values that requests bring.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLSchema

from gateway.executor.context import ExecutionContext
from gateway.executor.contexts import CompiledContexts, compile_contexts
from gateway.executor.deferred import Place, compile_places, first_answer
from gateway.executor.introspection import Introspection
from gateway.executor.paths import Collector, compile_collectors, whole
from gateway.executor.projection import FAULTS, Projection, compile_projection
from gateway.executor.representations import CompiledCall, compile_call
from gateway.executor.shape import Composite, SchemaTypes, build_root
from gateway.executor.streamed import ErrorRoutes, ListPlace, compile_list_places
from gateway.executor.verification import Verification, compile_verification
from gateway.plan.nodes import Fetch, Guard, OutputField, Path, QueryPlan

__all__ = ["CompiledFetch", "ExecutablePlan", "Shape", "compile_plan"]

MAX_SHAPES = 32
"""Combinations of guard values kept per plan; n Boolean variables could bring 2^n."""


@dataclass(frozen=True, slots=True)
class CompiledFetch:
    """A fetch ready to run.

    Attributes:
        prefix: JSON of the request body up to the value of ``variables``.
        bare_body: the whole body when there is nothing variable in it, else None.
        waits_for: number of fetches that must finish first.
        followers: fetches that wait for this one.
        contexts: the call when it reads contexts, else None.
        at: the walk to the objects that root fields merge into, None for the root of the data.
    """

    fetch: Fetch
    prefix: bytes
    bare_body: bytes | None
    calls: tuple[CompiledCall, ...]
    waits_for: int
    followers: tuple[int, ...]
    contexts: CompiledContexts | None = None
    at: Collector | None = None


MAX_FAILED_VERIFICATIONS = 3
"""Answers that were not the client's as they stood, after which a shape is not tried any more."""


@dataclass(slots=True)
class Shape:
    """The answer's shape for one set of guard values.

    Attributes:
        project: None when only the exact way is right.
        verify: None when the answer has to be shaped; only plans of a single fetch have it.
        places: for each deferred part, where its fields or items belong.
    """

    root: Composite
    project: Projection | None
    verify: Verification | None
    places: tuple[tuple[Place | ListPlace, ...], ...] = ()
    failed_verifications: int = 0
    _with_numbers: Projection | None = None

    def project_numbers(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return data that ``project`` is not for, where all that is wrong with it are numbers in place of IDs.

        A subgraph that sends such numbers does so always: the code for them is what ``project`` is from then on.
        """
        if self._with_numbers is None:
            self._with_numbers = compile_projection(self.root, takes_numbers=True)
        elif self.project is self._with_numbers:
            return None
        if self._with_numbers is None:
            return None
        try:
            shaped = self._with_numbers(data)
        except FAULTS:
            return None
        self.project = self._with_numbers
        return shaped

    def note_failed_verification(self) -> None:
        """Count a verification that failed; a subgraph that always sends more than is shown is not asked in vain."""
        self.failed_verifications += 1
        if self.failed_verifications >= MAX_FAILED_VERIFICATIONS:
            self.verify = None


class ExecutablePlan:
    """A compiled plan. Shared by all requests; the shapes that it caches are all that ever changes."""

    __slots__ = (
        "_guard_variables",
        "_shapes",
        "error_routes",
        "fetches",
        "introspection",
        "is_single",
        "part_of",
        "ready",
        "source",
        "types",
    )

    def __init__(self, plan: QueryPlan, schema: GraphQLSchema, types: SchemaTypes) -> None:
        self.source = plan
        self.types = types
        self.fetches = _compile_fetches(plan)
        first = 1 if plan.kind == "subscription" else 0
        self.ready = tuple(index for index, item in enumerate(self.fetches) if index >= first and item.waits_for == 0)
        self.introspection = Introspection(schema, plan.introspection) if plan.introspection else None
        self.part_of = _parts_of_fetches(plan)
        is_streamed = any(part.initial_count is not None for part in plan.deferred)
        self.error_routes = ErrorRoutes(plan) if is_streamed else None
        self.is_single = (
            not plan.deferred and plan.kind != "subscription" and len(plan.fetches) == 1 and plan.introspection is None
        )
        self._guard_variables = tuple(sorted(_guard_variables(plan)))
        self._shapes: OrderedDict[tuple[bool, ...], Shape] = OrderedDict()

    def shape(self, context: ExecutionContext) -> Shape:
        """Return the shape for a request's guard values."""
        values = tuple([context.flag(name) for name in self._guard_variables])
        found = self._shapes.get(values)
        if found is None:
            found = self._build_shape(dict(zip(self._guard_variables, values, strict=True)).__getitem__)
            self._shapes[values] = found
            if len(self._shapes) > MAX_SHAPES:
                self._shapes.popitem(last=False)
        return found

    def _build_shape(self, flag: Callable[[str], bool]) -> Shape:
        def holds(guard: Guard) -> bool:
            return flag(guard.variable) is guard.expected

        plan = self.source
        output = tuple(field for field in plan.output if field.name not in _ANSWERED_HERE)
        if not plan.deferred:
            root = build_root(output, plan.root_type, self.types, holds)
            return Shape(root, compile_projection(root), compile_verification(root) if self.is_single else None)
        root = build_root(first_answer(output), plan.root_type, self.types, holds)
        places = tuple(
            compile_places(output, number, plan.root_type, self.types, holds)
            if part.initial_count is None
            else compile_list_places(output, number, plan.root_type, self.types, holds)
            for number, part in enumerate(plan.deferred)
        )
        return Shape(root, compile_projection(root), None, places)


_ANSWERED_HERE = frozenset({"__schema", "__type"})


def compile_plan(plan: QueryPlan, schema: GraphQLSchema, types: SchemaTypes | None = None) -> ExecutablePlan:
    """Compile a plan against the API schema that it was made for."""
    return ExecutablePlan(plan, schema, types or SchemaTypes(schema))


def _parts_of_fetches(plan: QueryPlan) -> tuple[int | None, ...]:
    """Return for each fetch the deferred part that alone needs it, None for the first answer; empty without parts."""
    if not plan.deferred:
        return ()
    found: dict[int, int] = {fetch: number for number, part in enumerate(plan.deferred) for fetch in part.fetches}
    return tuple(found.get(fetch.id) for fetch in plan.fetches)


def _compile_fetches(plan: QueryPlan) -> tuple[CompiledFetch, ...]:
    stream = {0} if plan.kind == "subscription" else set()
    followers: dict[int, list[int]] = {fetch.id: [] for fetch in plan.fetches}
    for fetch in plan.fetches:
        for other in fetch.after:
            followers[other].append(fetch.id)
    written: frozenset[Path] = frozenset(
        whole(target.path) for fetch in plan.fetches for call in fetch.calls for target in call.targets
    ) | {fetch.at for fetch in plan.fetches if fetch.at}
    split = _split_paths(plan, written)
    return tuple(
        _compile_fetch(fetch, written, split, len(set(fetch.after) - stream), tuple(followers[fetch.id]))
        for fetch in plan.fetches
    )


def _split_paths(plan: QueryPlan, written: frozenset[Path]) -> frozenset[Path]:
    """Return the paths between objects that set a context and those that read it: what is below them may differ."""
    found: set[Path] = set()
    for call in (call for fetch in plan.fetches for call in fetch.calls):
        for read in (read for context in call.contexts for read in context.reads):
            target = whole(call.targets[0].path)
            found.update(
                path for path in written if len(read.path) < len(path) < len(target) and target[: len(path)] == path
            )
    return frozenset(found)


def _compile_fetch(
    fetch: Fetch, written: frozenset[Path], split: frozenset[Path], waits_for: int, followers: tuple[int, ...]
) -> CompiledFetch:
    head = b'{"query":' + orjson.dumps(fetch.document)
    if fetch.operation_name is not None:
        head += b',"operationName":' + orjson.dumps(fetch.operation_name)
    bare = head + b"}" if not fetch.calls and not fetch.variables else None
    calls = tuple(compile_call(call, written, split) for call in fetch.calls)
    return CompiledFetch(
        fetch,
        head + b',"variables":',
        bare,
        calls,
        waits_for,
        followers,
        compile_contexts(fetch, calls),
        compile_collectors([fetch.at], written)[0] if fetch.at else None,
    )


def _guard_variables(plan: QueryPlan) -> set[str]:
    found: set[str] = set()

    def visit(fields: tuple[OutputField, ...]) -> None:
        for field in fields:
            found.update(guard.variable for guards in field.guards for guard in guards)
            visit(field.fields)

    visit(plan.output)
    return found
