"""What makes one plan better than another.

A plan is judged by two numbers, the first decides:

1. depth: the longest chain of dependent fetches, because each costs a round trip;
2. fetches: how many requests are sent, where all calls of one stage to one subgraph are one request.

A request is therefore a *slot*: a pair of stage and subgraph. Using a slot that the plan has already costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Estimate", "Slot"]

Slot = tuple[int, str]
"""Stage (1 for the first) and subgraph."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What resolving a selection still costs.

    Attributes:
        missing: fields that no entity fetch leads to; they must be asked for on another way from further up.
        depth: dependent fetches after the current one.
        slots: requests it takes, with stages counted from the current fetch (0).
        entered: fields that need an entity fetch; among equal plans the one that moves less data is better.
    """

    missing: int
    depth: int
    slots: frozenset[Slot]
    entered: int

    def later(self, stages: int) -> Estimate:
        """Return the same cost counted from ``stages`` fetches earlier."""
        return Estimate(
            self.missing,
            self.depth + stages,
            frozenset((stage + stages, name) for stage, name in self.slots),
            self.entered,
        )
