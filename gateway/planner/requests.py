"""Requests to be: the steps that are asked together, and for which items of streamed lists they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.plan.nodes import Path, SliceStep
from gateway.planner.steps import Position, Step, list_depth

__all__ = ["Request", "gather"]


@dataclass(eq=False, slots=True)
class Request:
    """One fetch to be.

    Attributes:
        part: number of the deferred part that alone needs it, None when the first answer does.
        after: requests that it waits for.
        items: by the position of the items of a list, those that the request is for; all of other lists.
    """

    subgraph: str
    stage: int
    steps: list[Step]
    part: int | None
    after: set[Request] = field(default_factory=set)
    items: Mapping[Position, SliceStep] = field(default_factory=dict)

    def path(self, position: Position) -> Path:
        """Return the path to the objects of a position that the request is for."""
        if not self.items:
            return position.path
        path = list(position.path)
        around: Position | None = position
        while around is not None and around.selected is not None:
            if around in self.items:
                path[len(around.path) - list_depth(around.selected)] = self.items[around]
            around = around.parent
        return tuple(path)


def gather(steps: Sequence[Step], stages: Mapping[Step, int]) -> list[Request]:
    """Return the requests of a plan in the order in which they can run: steps of one subgraph and stage share one."""
    found: dict[tuple[int, str, int, int | None], Request] = {}
    for step in sorted(steps, key=lambda one: (stages[one], one.number)):
        own = step.number if step.is_alone else -1
        key = (stages[step], step.subgraph, own, step.part)
        found.setdefault(key, Request(step.subgraph, stages[step], [], step.part)).steps.append(step)
    requests = list(found.values())
    asked_in = {step: request for request in requests for step in request.steps}
    for request in requests:
        request.after = {asked_in[provider] for step in request.steps for provider in step.after}
    return requests
