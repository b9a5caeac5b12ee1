"""Prepared operations that are remembered: those that are used, and some of those that came once.

Plans differ in size by a factor of a thousand, so their number alone bounds no memory: whoever sends large operations
would make the gateway remember a thousand of the largest. And whoever sends ever new operations would push out those
that clients use, so that what came once has a share of its own (the 2Q of Johnson and Shasha, 1994).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.server.prepared import PlanKey, Prepared

__all__ = ["NEW_SHARE", "TEXT_PER_PLAN", "PlanCache"]

TEXT_PER_PLAN = 2_048
"""Characters that an operation may have on average, with its requests to subgraphs; a large page has as many."""

NEW_SHARE = 10
"""One out of so many may be an operation that came once; enough for what a page asks again within a minute."""


class PlanCache:
    """The memory of one graph.

    An operation that comes again is in use; of these the least recently used is the first to be forgotten. Of those
    that came once the oldest is, and that it came is remembered for as many more as there is room for operations: when
    it comes again in that time, it is planned once more and is in use from then on.

    Args:
        most: operations at most; together they have at most ``most * TEXT_PER_PLAN`` characters, with those of their
            requests to subgraphs. A memory of less than ``NEW_SHARE`` makes no difference between them.
    """

    __slots__ = ("_came", "_most", "_new", "_used")

    def __init__(self, most: int) -> None:
        self._most = most
        self._new = _Shelf(most // NEW_SHARE)
        self._used = _Shelf(most - most // NEW_SHARE)
        self._came: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._new.plans) + len(self._used.plans)

    def get(self, key: PlanKey) -> Prepared | None:
        """Return what is remembered under a key, which is used by that."""
        found = self._used.plans.get(key)
        if found is not None:
            self._used.plans.move_to_end(key)
            return found
        found = self._new.take(key)
        if found is not None:
            self._used.put(key, found)
        return found

    def keep(self, key: PlanKey, prepared: Prepared, *, is_used: bool = False) -> None:
        """Remember an operation, as one that came once unless it is known or ``is_used``; others go for it."""
        known, number = self._used.take(key) or self._new.take(key), hash(key)
        if is_used or known is not None or number in self._came or not self._new.most:
            self._came.pop(number, None)
            self._used.put(key, prepared)
            return
        for gone in self._new.put(key, prepared):
            self._came[hash(gone)] = None
        while len(self._came) > self._most:
            self._came.popitem(last=False)

    def latest(self, count: int) -> Iterator[tuple[PlanKey, Prepared]]:
        """Yield the operations that were used last, the latest last; those that came once before all others."""
        known = [*self._new.plans.items(), *self._used.plans.items()]
        yield from known[max(len(known) - count, 0) :]

    def clear(self) -> None:
        """Forget everything."""
        self._new.clear()
        self._used.clear()
        self._came.clear()


class _Shelf:
    """Operations in the order in which they go, the first to go first; one is kept however large it is."""

    __slots__ = ("most", "plans", "weight")

    def __init__(self, most: int) -> None:
        self.most = most
        self.plans: OrderedDict[PlanKey, Prepared] = OrderedDict()
        self.weight = 0

    def put(self, key: PlanKey, prepared: Prepared) -> list[PlanKey]:
        """Add one as the last to go, and return those that went for it."""
        self.plans[key] = prepared
        self.weight += _weight(key, prepared)
        gone = []
        while len(self.plans) > self.most or (self.weight > self.most * TEXT_PER_PLAN and len(self.plans) > 1):
            first, dropped = self.plans.popitem(last=False)
            self.weight -= _weight(first, dropped)
            gone.append(first)
        return gone

    def take(self, key: PlanKey) -> Prepared | None:
        """Take one away and return it, None when it is not there."""
        found = self.plans.pop(key, None)
        if found is not None:
            self.weight -= _weight(key, found)
        return found

    def clear(self) -> None:
        self.plans.clear()
        self.weight = 0


def _weight(key: PlanKey, prepared: Prepared) -> int:
    return len(key[0]) + sum(len(fetch.document) for fetch in prepared.plan.source.fetches)
