"""Give every step its final stage so that entity steps of one subgraph meet in as few requests as possible.

A step may run in any stage between the one after its last provider and the one before its first reader; the plan never
gets deeper, nor does a deferred part of it. Steps of one subgraph and one part whose intervals share a stage become one
request. Taking the interval that ends first and all that overlap it is the smallest set of meeting points for intervals
on a line; dependencies between steps of the same subgraph are respected by joining only steps that do not need each
other.

Cost: O(steps^2) in the worst case, with the few dozen steps that real plans have.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.planner.steps import Step

__all__ = ["join_steps"]


def join_steps(steps: Sequence[Step]) -> dict[Step, int]:
    """Return the stage of every step, providers always in earlier stages than their readers."""
    order = sorted(steps, key=lambda step: (step.stage, step.number))
    lines = _Intervals(order)
    by_subgraph: dict[tuple[int, str], list[int]] = {}
    for place, step in enumerate(order):
        if not step.is_alone:
            part = -1 if step.part is None else step.part
            by_subgraph.setdefault((part, step.subgraph), []).append(place)
    for name in sorted(by_subgraph):
        waiting = by_subgraph[name]
        while waiting:
            meeting = lines.meet(waiting)
            waiting = [place for place in waiting if place not in meeting]
    return dict(zip(order, lines.earliest, strict=True))


class _Intervals:
    """The stages in which each step may run, given those that are fixed. Steps are numbers in order of need."""

    def __init__(self, order: Sequence[Step]) -> None:
        place = {step: number for number, step in enumerate(order)}
        self._providers = [[place[provider] for provider in step.after] for step in order]
        self._readers: list[list[int]] = [[] for _ in order]
        for number, providers in enumerate(self._providers):
            for provider in providers:
                self._readers[provider].append(number)
        self._ancestors = [0] * len(order)
        for number, providers in enumerate(self._providers):
            for provider in providers:
                self._ancestors[number] |= self._ancestors[provider] | 1 << provider
        self._fixed = [0] * len(order)
        self.earliest = [0] * len(order)
        self._find_earliest()
        depths: dict[int | None, int] = {}
        for step, stage in zip(order, self.earliest, strict=True):
            depths[step.part] = max(depths.get(step.part, 0), stage)
        self._most = [depths[step.part] for step in order]
        self.latest = list(self._most)
        self._find_latest()

    def meet(self, waiting: Sequence[int]) -> set[int]:
        """Fix the step that must run first together with all that can join it; return them."""
        first = min(waiting, key=lambda number: (self.latest[number], number))
        meeting = {first}
        members = 1 << first
        ancestors = self._ancestors[first]
        for number in sorted(waiting, key=lambda one: (self.earliest[one], one)):
            if number == first or self.earliest[number] > self.latest[first]:
                continue
            if self.latest[number] < self.earliest[first]:
                continue
            if self._ancestors[number] & members or ancestors >> number & 1:
                continue
            meeting.add(number)
            members |= 1 << number
            ancestors |= self._ancestors[number]
        stage = max(self.earliest[number] for number in meeting)
        moved = any(self.earliest[number] != stage for number in meeting)
        bound = any(self.latest[number] != stage for number in meeting)
        for number in meeting:
            self._fixed[number] = stage
        if moved:
            self._find_earliest()
        if bound:
            self._find_latest()
        return meeting

    def _find_earliest(self) -> None:
        earliest, fixed = self.earliest, self._fixed
        for number, providers in enumerate(self._providers):
            least = fixed[number] or 1
            for provider in providers:
                if earliest[provider] >= least:
                    least = earliest[provider] + 1
            earliest[number] = least

    def _find_latest(self) -> None:
        latest, fixed = self.latest, self._fixed
        for number in range(len(self._readers) - 1, -1, -1):
            most = self._most[number]
            for reader in self._readers[number]:
                if latest[reader] <= most:
                    most = latest[reader] - 1
            own = fixed[number]
            latest[number] = own if own and own < most else most
