"""Is a plan sound? Everything that it reads is fetched before, and everything that it answers is fetched at all.

The fetches are walked in their order over a model of the data: a tree of internal keys, types left aside. The check
does not run with requests; tests apply it to every plan that they make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphql import parse
from graphql.language import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode

from gateway.errors import InternalError
from gateway.plan.nodes import (
    ContextRead,
    Fetch,
    FieldStep,
    OutputField,
    Path,
    QueryPlan,
    RequiredField,
    RequiredSelection,
)

__all__ = ["check_plan"]


class _Data:
    """Keys of an object, with the fetches that give each."""

    def __init__(self) -> None:
        self.children: dict[str, _Data] = {}
        self.given_by: set[int] = set()

    def child(self, key: str) -> _Data:
        return self.children.setdefault(key, _Data())


def check_plan(plan: QueryPlan) -> None:
    """Check a plan.

    Raises:
        InternalError: a fetch reads what no earlier fetch of its dependencies gives, or the answer needs what no fetch
            gives; the message names the fetch or field.
    """
    data = _Data()
    before: dict[int, set[int]] = {}
    for number, fetch in enumerate(plan.fetches):
        if fetch.id != number or any(other >= number for other in fetch.after):
            raise InternalError(f"fetch {number} is out of order")
        before[number] = set(fetch.after).union(*(before[other] for other in fetch.after))
        _run(fetch, data, before[number])
    _check_output(plan.output, data, plan.kind, _delivered(plan))


def _delivered(plan: QueryPlan) -> dict[int | None, set[int]]:
    """Return the fetches that have run when the first answer (None) and each deferred part are delivered."""
    deferred = {int(number) for part in plan.deferred for number in part.fetches}
    found: dict[int | None, set[int]] = {None: {int(fetch.id) for fetch in plan.fetches} - deferred}
    for number, part in enumerate(plan.deferred):
        found[number] = found[part.parent] | set(part.fetches)
    for fetches in found.values():
        for fetch in plan.fetches:
            if fetch.id in fetches and not fetches.issuperset(fetch.after):
                raise InternalError(f"fetch {fetch.id} waits for one that is delivered later")
    return found


def _run(fetch: Fetch, data: _Data, before: set[int]) -> None:
    definition = parse(fetch.document).definitions[0]
    if not isinstance(definition, OperationDefinitionNode):
        raise InternalError(f"fetch {fetch.id} has no operation")
    if not fetch.calls:
        root = _at(data, fetch.at)
        if root is None:
            raise InternalError(f"fetch {fetch.id} asks for root fields at {fetch.at}, which nothing fetches")
        _add(root, definition.selection_set, fetch.id)
        return
    fields = {
        (node.alias.value if node.alias else node.name.value): node
        for node in definition.selection_set.selections
        if isinstance(node, FieldNode)
    }
    for call in fetch.calls:
        node = fields.get(call.key)
        if node is None or node.selection_set is None:
            raise InternalError(f"fetch {fetch.id} has no call {call.key}")
        for target in call.targets:
            place = _at(data, target.path)
            if place is None:
                raise InternalError(f"fetch {fetch.id} enters at {target.path}, which nothing fetches")
            for representation in target.representations:
                _check_required(representation.selections, place, before, fetch)
            _add(place, node.selection_set, fetch.id)
        for context in call.contexts:
            for read in context.reads:
                _check_read(read, data, before, fetch)


def _check_read(read: ContextRead, data: _Data, before: set[int], fetch: Fetch) -> None:
    place = _at(data, read.path)
    for key in read.keys:
        place = place.children.get(key) if place is not None else None
        if place is None or not place.given_by & before:
            raise InternalError(f"fetch {fetch.id} reads {key} of a context, which no fetch before it gives")


def _at(data: _Data, path: Path) -> _Data | None:
    place: _Data | None = data
    for step in path:
        if isinstance(step, FieldStep) and place is not None:
            place = place.children.get(step.key)
    return place


def _add(data: _Data, selection: SelectionSetNode, fetch: int) -> None:
    for node in selection.selections:
        if isinstance(node, InlineFragmentNode):
            _add(data, node.selection_set, fetch)
        elif isinstance(node, FieldNode):
            child = data.child(node.alias.value if node.alias else node.name.value)
            child.given_by.add(fetch)
            if node.selection_set is not None:
                _add(child, node.selection_set, fetch)


def _check_required(selections: Iterable[RequiredSelection], data: _Data, before: set[int], fetch: Fetch) -> None:
    for one in selections:
        if not isinstance(one, RequiredField):
            _check_required(one.selections, data, before, fetch)
            continue
        child = data.children.get(one.source)
        if child is None or not child.given_by & before:
            raise InternalError(f"fetch {fetch.id} needs {one.source}, which no fetch before it gives")
        _check_required(one.selections, child, before, fetch)


def _check_output(
    fields: Iterable[OutputField], data: _Data, where: str, delivered: Mapping[int | None, set[int]]
) -> None:
    for field in fields:
        if field.name == "__typename":
            continue
        child = data.children.get(field.source)
        if child is None:
            if field.on is not None:
                continue  # a type that no subgraph can return here
            raise InternalError(f"{where}: nothing fetches {field.source}")
        for part in field.deferred or (None,):
            if not child.given_by & delivered[part]:
                raise InternalError(f"{where}: {field.source} is fetched only after it is delivered")
        below = delivered
        if field.stream is not None and not field.stream.initial_count:  # every item is a later one
            below = {**delivered, next(iter(field.deferred), None): delivered[field.stream.part]}
        _check_output(field.fields, child, f"{where}.{field.key}", below)
