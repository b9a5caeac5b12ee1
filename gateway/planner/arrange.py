"""Arrange fetches as the tree that people read: stages in sequence, what shares a stage in parallel.

The tree orders nothing; fetches run by their own dependencies. Each deferred part is a tree of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.operation.document import Operation
from gateway.plan.nodes import (
    ConditionNode,
    DeferNode,
    Fetch,
    FetchNode,
    FlattenNode,
    ParallelNode,
    PlanNode,
    SequenceNode,
    SubscriptionNode,
)

__all__ = ["arrange"]


def arrange(operation: Operation, fetches: Sequence[Fetch], turns: Iterable[tuple[int | None, int]]) -> PlanNode | None:
    """Return the tree of all fetches, None when nothing is fetched.

    Args:
        operation: what they answer.
        fetches: in the order in which they are printed within a stage.
        turns: deferred part and stage of each fetch.
    """
    return _Tree(operation, fetches, turns).root() if fetches else None


class _Tree:
    """The fetches by part and stage."""

    def __init__(self, operation: Operation, fetches: Sequence[Fetch], turns: Iterable[tuple[int | None, int]]) -> None:
        self._operation = operation
        self._fetches = fetches
        self._stages: dict[int | None, dict[int, list[PlanNode]]] = {}
        for fetch, (part, stage) in zip(fetches, turns, strict=True):
            self._stages.setdefault(part, {}).setdefault(stage, []).append(_node(fetch))
        selected = [one for field in operation.fields for one in field.walk()]
        self._parts = {part for one in selected for part in one.deferred}
        self._parts |= {one.stream.part for one in selected if one.stream is not None}

    def root(self) -> PlanNode | None:
        """Return the whole tree."""
        if self._operation.kind == "subscription":
            rest = self._rounds(None)[1:]
            return SubscriptionNode(FetchNode(self._fetches[0].id), _sequence(rest) if rest else None)
        return self._part(None)

    def _part(self, part: int | None) -> PlanNode | None:
        rounds = self._rounds(part)
        own = _sequence(rounds) if rounds else None
        inner = tuple(
            (number, self._part(number))
            for number, fragment in enumerate(self._operation.deferred)
            if fragment.parent == part and number in self._parts
        )
        return DeferNode(own, inner) if inner else own

    def _rounds(self, part: int | None) -> list[PlanNode]:
        return [_parallel(nodes) for _, nodes in sorted(self._stages.get(part, {}).items())]


def _node(fetch: Fetch) -> PlanNode:
    node: PlanNode = FetchNode(fetch.id)
    if fetch.at:
        node = FlattenNode(fetch.at, node)
    if len(fetch.calls) == 1 and len(fetch.calls[0].targets) == 1:
        node = FlattenNode(fetch.calls[0].targets[0].path, node)
    for guard in reversed(fetch.guards):
        node = ConditionNode(guard, node)
    return node


def _parallel(nodes: Sequence[PlanNode]) -> PlanNode:
    return nodes[0] if len(nodes) == 1 else ParallelNode(tuple(nodes))


def _sequence(nodes: Sequence[PlanNode]) -> PlanNode:
    return nodes[0] if len(nodes) == 1 else SequenceNode(tuple(nodes))
