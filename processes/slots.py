"""Numbered slots: every program that carries processes holds one, and its number is its name in the journal.

The journal gives the runs of a dead program back only to whoever comes under the same name. So a program takes the
lowest free slot of its database by itself, and holds it by a lock that ends with the program, however it ends: a
restarted program finds the slot of the dead one free and goes on with its runs. See ``docs/adr/0007-worker-slots.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["MAX_SLOTS", "NoFreeSlot", "SlotLocks", "SlotTimes", "slot_name", "take_lowest"]

MAX_SLOTS = 100
"""Programs that carry processes of one database at the same time."""


class NoFreeSlot(Exception):
    """Every slot is taken: too many programs share the database, or somebody else uses the same locks."""

    def __init__(self) -> None:
        super().__init__(
            f"all {MAX_SLOTS} worker slots of the database are taken: stop programs that carry processes, "
            "or give this one a database of its own"
        )


@dataclass(frozen=True, slots=True)
class SlotTimes:
    """When a slot counts as lost or vacant, in seconds.

    ``lost_s`` is well below ``vacant_s``: a program that cannot prove that it holds its slot has stopped its runs
    before another one takes them over. With the defaults that is at most 13 seconds after a program has died, and 24
    when its machine has gone without a word (the database notices after ``DEAD_PEER_S``).

    Attributes:
        beat_s: pause between two proofs that the slot is held.
        lost_s: without proof for this long the program stops its runs.
        look_s: pause between two looks for slots that nobody holds.
        vacant_s: a slot that stays free this long while runs wait under it is taken over.
    """

    beat_s: float = 1.0
    lost_s: float = 5.0
    look_s: float = 3.0
    vacant_s: float = 10.0


class SlotLocks(Protocol):
    """Locks by slot number that end with the program which holds them."""

    async def take(self, number: int) -> bool:
        """Take a slot; False when another program has it."""
        ...

    async def give_up(self, number: int) -> None:
        """Let another program have the slot."""
        ...

    async def taken(self) -> frozenset[int]:
        """Return the slots that programs hold, this one among them."""
        ...

    async def confirm(self, number: int) -> bool:
        """Return whether the slot is still ours, taking it anew when its lock was lost and nobody else has it."""
        ...

    async def close(self) -> None:
        """Give up everything."""
        ...


def slot_name(number: int) -> str:
    """Return the name by which the journal knows the runs of a slot."""
    return f"slot-{number}"


async def take_lowest(locks: SlotLocks) -> int:
    """Take the lowest free slot and return its number.

    Raises:
        NoFreeSlot: there is none.
    """
    for number in range(MAX_SLOTS):
        if await locks.take(number):
            return number
    raise NoFreeSlot
