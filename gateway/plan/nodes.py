"""The query plan: what to fetch, from where, after what, and how the answer is shaped.

A plan says the same thing twice, for two readers:

- ``fetches`` is the dependency graph that the executor runs: each fetch names the fetches whose data it reads. There
  are no stages; a fetch may start the moment the fetches in ``after`` are done.
- ``root`` is the tree in the form that other planners print (``Sequence``, ``Parallel``, ``Fetch``, ``Flatten``,
  ``Condition``), for people and for comparisons. The executor never reads it.

All data of one request is merged into one tree of objects under *internal keys*. An internal key equals the client's
response key except where two selections would collide; ``output`` maps internal keys back to response keys.

Plans are frozen and hold only plain values, so they can be compared, cached, printed and serialised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

__all__ = [
    "ConditionNode",
    "ContextRead",
    "ContextVariable",
    "DeferNode",
    "DeferredPart",
    "EntityCall",
    "EntityTarget",
    "Fetch",
    "FetchId",
    "FetchNode",
    "FieldStep",
    "FlattenNode",
    "Guard",
    "ListStep",
    "OperationKind",
    "OutputField",
    "ParallelNode",
    "Path",
    "PathStep",
    "PlanNode",
    "QueryPlan",
    "Representation",
    "RequiredField",
    "RequiredFragment",
    "RequiredSelection",
    "SequenceNode",
    "SliceStep",
    "StreamedList",
    "SubgraphName",
    "SubscriptionNode",
    "TypeStep",
]

FetchId = NewType("FetchId", int)
SubgraphName = NewType("SubgraphName", str)
OperationKind = Literal["query", "mutation", "subscription"]


@dataclass(frozen=True, slots=True)
class FieldStep:
    """Go to the value under ``key`` (an internal key)."""

    key: str


@dataclass(frozen=True, slots=True)
class ListStep:
    """Go to every item of a list, ``@`` in print. One step per list level."""


@dataclass(frozen=True, slots=True)
class SliceStep:
    """Go to the items of a list from ``start`` on, and before ``stop`` unless that is None."""

    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class TypeStep:
    """Go on only for objects whose ``__typename`` is one of ``types`` (object types, sorted)."""

    types: tuple[str, ...]


PathStep = FieldStep | ListStep | SliceStep | TypeStep
Path = tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """Applies only when Boolean ``variable`` has the value ``expected`` (from @include and @skip)."""

    variable: str
    expected: bool


@dataclass(frozen=True, slots=True)
class RequiredField:
    """One field of a representation.

    Attributes:
        name: field name in the representation that is sent.
        source: internal key under which the value lies in the merged data.
        selections: what is copied of an object or list of objects; empty for leaves, which are copied whole.
    """

    name: str
    source: str
    selections: tuple[RequiredSelection, ...] = ()


@dataclass(frozen=True, slots=True)
class RequiredFragment:
    """Fields that apply only to objects of ``types`` (object types, sorted)."""

    types: tuple[str, ...]
    selections: tuple[RequiredSelection, ...]


RequiredSelection = RequiredField | RequiredFragment


@dataclass(frozen=True, slots=True)
class Representation:
    """How to make the representation of an entity whose runtime type is one of ``types``.

    Attributes:
        types: object types that this applies to, sorted.
        typename: ``__typename`` to send; None sends the object's own (the two differ for interface objects).
        selections: key and required fields, ``__typename`` not among them at the top.
    """

    types: tuple[str, ...]
    typename: str | None
    selections: tuple[RequiredSelection, ...]


@dataclass(frozen=True, slots=True)
class EntityTarget:
    """A place in the merged data whose objects are represented, sent, and receive the entity that comes back.

    An object that is null, or of no type in ``representations``, or that lacks a required key value is left out.
    """

    path: Path
    representations: tuple[Representation, ...]


@dataclass(frozen=True, slots=True)
class ContextRead:
    """Where the value of a context lies.

    Attributes:
        path: the objects that set the context; a prefix of the call's path, or all of it.
        types: object types (sorted) that this applies to; empty means all that are possible there.
        keys: internal keys that lead from the object to the value.
    """

    path: Path
    types: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextVariable:
    """A variable whose value comes from an object around each entity; the first of ``reads`` that applies decides."""

    name: str
    type: str
    reads: tuple[ContextRead, ...]


@dataclass(frozen=True, slots=True)
class EntityCall:
    """One ``_entities`` field of a fetch.

    Attributes:
        key: response key of the call in the subgraph's answer, ``_entities`` or an alias of it.
        variable: name of the variable that carries the representations.
        targets: the places that share this call because they select the same; at least one.
        contexts: variables by which entities differ; such a call has one target and is alone in its fetch, and is
            repeated in it under aliases for every combination of values.
    """

    key: str
    variable: str
    targets: tuple[EntityTarget, ...]
    contexts: tuple[ContextVariable, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request to one subgraph.

    Attributes:
        id: position in ``QueryPlan.fetches``.
        subgraph: who is asked.
        kind: operation type of ``document``.
        document: GraphQL text as sent, without insignificant white space.
        operation_name: name in ``document``, None when it has none.
        variables: client variables that ``document`` uses, sorted. A variable that the client left out is not sent.
        calls: entity calls; empty for a fetch of root fields, whose ``data`` merges into the objects at ``at``.
        after: fetches whose data this one reads, or that must finish first (mutations); sorted, all ids smaller.
        guards: all must hold or the fetch is left out; fetches after it then find nothing to represent.
        at: where the root fields belong; empty for the root of the data, else a field that returns the query type.
    """

    id: FetchId
    subgraph: SubgraphName
    kind: OperationKind
    document: str
    operation_name: str | None
    variables: tuple[str, ...]
    calls: tuple[EntityCall, ...]
    after: tuple[FetchId, ...]
    guards: tuple[Guard, ...] = ()
    at: Path = ()


@dataclass(frozen=True, slots=True)
class StreamedList:
    """A list of which the answer has the first items only.

    Attributes:
        part: index into ``QueryPlan.deferred`` of the part that delivers the others.
        initial_count: how many come first.
    """

    part: int
    initial_count: int


@dataclass(frozen=True, slots=True)
class OutputField:
    """One field of the client's answer.

    Attributes:
        key: response key in the answer.
        name: field name; ``__typename`` is answered from the data, ``__schema`` and ``__type`` by introspection.
        source: internal key in the merged data.
        type: type as the API schema prints it, for example ``[Order!]!``.
        on: object types (sorted) for which the field is selected; None means every type possible here.
        guards: alternatives of conjunctions; the field is answered when one alternative holds; empty means always.
        fields: sub-selection in answer order; empty for leaves. Fields of one key are merged already.
        deferred: indices into ``QueryPlan.deferred``, sorted; empty when the field is in the first answer.
        stream: what the list leaves for later, None when nothing.
    """

    key: str
    name: str
    source: str
    type: str
    on: tuple[str, ...] | None = None
    guards: tuple[tuple[Guard, ...], ...] = ()
    fields: tuple[OutputField, ...] = ()
    deferred: tuple[int, ...] = ()
    stream: StreamedList | None = None


@dataclass(frozen=True, slots=True)
class DeferredPart:
    """A part of the answer that is delivered after the rest: a fragment, or the later items of a list.

    Attributes:
        label: label of the ``@defer`` or ``@stream``, None when it has none.
        parent: index of the part that it stands in, which is delivered before; None when that is the first answer.
        fetches: fetches that only this part needs.
        initial_count: how many items of the list come before, None for a fragment.
    """

    label: str | None
    parent: int | None
    fetches: tuple[FetchId, ...]
    initial_count: int | None = None


@dataclass(frozen=True, slots=True)
class FetchNode:
    """A fetch in the printed tree."""

    fetch: FetchId


@dataclass(frozen=True, slots=True)
class FlattenNode:
    """An entity fetch at ``path``."""

    path: Path
    node: PlanNode


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """Nodes of which each needs those before it."""

    nodes: tuple[PlanNode, ...]


@dataclass(frozen=True, slots=True)
class ParallelNode:
    """Nodes that do not need each other."""

    nodes: tuple[PlanNode, ...]


@dataclass(frozen=True, slots=True)
class ConditionNode:
    """A node that runs only when the guard holds."""

    guard: Guard
    node: PlanNode


@dataclass(frozen=True, slots=True)
class DeferNode:
    """Parts delivered after ``primary``; ``deferred`` pairs an index into ``QueryPlan.deferred`` with a node."""

    primary: PlanNode | None
    deferred: tuple[tuple[int, PlanNode | None], ...]


@dataclass(frozen=True, slots=True)
class SubscriptionNode:
    """The stream's root fetch and what completes each event."""

    primary: FetchNode
    rest: PlanNode | None


PlanNode = FetchNode | FlattenNode | SequenceNode | ParallelNode | ConditionNode | DeferNode | SubscriptionNode


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How one operation is answered.

    Attributes:
        kind: operation type. For a subscription ``fetches[0]`` is the stream, the others complete each event.
        fetches: in an order that respects ``after``; ``fetches[i].id == i``.
        output: the answer's root fields; those of deferred parts are marked.
        root_type: name of the API schema's root type, the answer to a root ``__typename``.
        introspection: text of the part that the gateway answers from the API schema (``__schema``, ``__type``), as an
            operation with the client's response keys; None when there is none.
        deferred: parts of ``@defer`` and ``@stream``, outer before inner.
        root: the printable tree, None when nothing is fetched.
    """

    kind: OperationKind
    fetches: tuple[Fetch, ...]
    output: tuple[OutputField, ...]
    root_type: str
    introspection: str | None = None
    deferred: tuple[DeferredPart, ...] = ()
    root: PlanNode | None = None
