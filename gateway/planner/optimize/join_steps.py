"""Give every step its final stage so that entity steps of one subgraph meet in as few requests as possible.

A step may run in any stage between the one after its last provider and the one before its first reader; the plan never
gets deeper. Steps of one subgraph whose intervals share a stage become one request. Taking the interval that ends first
and all that overlap it is the smallest set of meeting points for intervals on a line; dependencies between steps of the
same subgraph are respected by joining only steps that do not need each other.

Cost: O(steps^2) in the worst case, with the few dozen steps that real plans have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.planner.steps import Step

__all__ = ["join_steps"]


def join_steps(steps: Sequence[Step]) -> dict[Step, int]:
    """Return the stage of every step, providers always in earlier stages than their readers."""
    order = _sorted_by_need(steps)
    readers: dict[Step, list[Step]] = {step: [] for step in order}
    for step in order:
        for provider in step.after:
            readers[provider].append(step)
    ancestors = _find_ancestors(order)
    fixed: dict[Step, int] = {}
    depth = max(_earliest(order, fixed).values(), default=0)
    by_subgraph: dict[str, list[Step]] = {}
    for step in order:
        if step.position is not None:
            by_subgraph.setdefault(step.subgraph, []).append(step)
    for name in sorted(by_subgraph):
        waiting = list(by_subgraph[name])
        while waiting:
            earliest = _earliest(order, fixed)
            latest = _latest(order, readers, fixed, depth)
            first = min(waiting, key=lambda step: (latest[step], step.number))
            meeting = [first]
            for step in sorted(waiting, key=lambda step: (earliest[step], step.number)):
                if step is first or earliest[step] > latest[first] or latest[step] < earliest[first]:
                    continue
                if all(step not in ancestors[other] and other not in ancestors[step] for other in meeting):
                    meeting.append(step)
            stage = max(earliest[step] for step in meeting)
            for step in meeting:
                fixed[step] = stage
                waiting.remove(step)
    return _earliest(order, fixed)


def _sorted_by_need(steps: Iterable[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: (step.stage, step.number))


def _find_ancestors(order: Sequence[Step]) -> dict[Step, set[Step]]:
    found: dict[Step, set[Step]] = {}
    for step in order:
        found[step] = set(step.after).union(*(found[provider] for provider in step.after))
    return found


def _earliest(order: Sequence[Step], fixed: dict[Step, int]) -> dict[Step, int]:
    found: dict[Step, int] = {}
    for step in order:
        least = 1 + max((found[provider] for provider in step.after), default=0)
        found[step] = max(least, fixed.get(step, 0))
    return found


def _latest(
    order: Sequence[Step], readers: dict[Step, list[Step]], fixed: dict[Step, int], depth: int
) -> dict[Step, int]:
    found: dict[Step, int] = {}
    for step in reversed(order):
        most = min((found[reader] for reader in readers[step]), default=depth + 1) - 1
        found[step] = min(most, fixed.get(step, most))
    return found
