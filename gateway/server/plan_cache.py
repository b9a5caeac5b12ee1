"""Prepared operations that are remembered, the least recently used first to go.

Plans differ in size by a factor of a thousand, so their number alone bounds no memory: whoever sends large operations
would make the gateway remember a thousand of the largest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.server.prepared import PlanKey, Prepared

__all__ = ["TEXT_PER_PLAN", "PlanCache"]

TEXT_PER_PLAN = 2_048
"""Characters that an operation may have on average, with its requests to subgraphs; a large page has as many."""


class PlanCache:
    """The memory of one graph.

    Args:
        most: operations at most; together they have at most ``most * TEXT_PER_PLAN`` characters, with those of their
            requests to subgraphs.
    """

    __slots__ = ("_kept", "_most", "_weight")

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[PlanKey, Prepared] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: PlanKey) -> Prepared | None:
        """Return what is remembered under a key, which is used by that."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: PlanKey, prepared: Prepared) -> None:
        """Remember an operation; what was used least recently is forgotten for it."""
        before = self._kept.pop(key, None)
        if before is not None:
            self._weight -= _weight(key, before)
        self._kept[key] = prepared
        self._weight += _weight(key, prepared)
        while len(self._kept) > self._most or (self._weight > self._most * TEXT_PER_PLAN and len(self._kept) > 1):
            self._weight -= _weight(*self._kept.popitem(last=False))

    def latest(self, count: int) -> Iterator[tuple[PlanKey, Prepared]]:
        """Yield the operations that were used last, the latest last."""
        yield from list(self._kept.items())[max(len(self._kept) - count, 0) :]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._weight = 0


def _weight(key: PlanKey, prepared: Prepared) -> int:
    return len(key[0]) + sum(len(fetch.document) for fetch in prepared.plan.source.fetches)
