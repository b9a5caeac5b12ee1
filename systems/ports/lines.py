"""Who waits in line for a system that does not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from schema.enums import SourceSystem


class Line(NamedTuple):
    """What one account has waiting for one system."""

    system: SourceSystem
    account_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """A process's place in a line.

    Attributes:
        step: what it waits to do.
        order_id: the order that it is about, if any.
        since: what the line is sorted by, with the id of the process where it is equal.
        joined_at: when it took the place.
        aside: it holds nobody up any more.
    """

    process_id: str
    line: Line
    step: str
    order_id: str | None
    since: datetime
    joined_at: datetime
    aside: bool = False


class WaitingLines(Protocol):
    """Lines of processes before systems that do not answer. System of record: platform."""

    async def join(self, place: Place) -> Place:
        """Take a place, giving up one in another line; who has one in this line keeps that, and it is returned."""
        ...

    async def leave(self, process_id: str) -> None:
        """Give up the place of a process; one that has none stays so."""
        ...

    async def stand_aside(self, process_id: str) -> None:
        """Let a place hold nobody up any more."""
        ...

    async def first(self, joined_after: datetime, line: Line | None = None) -> Mapping[Line, Place]:
        """Return the first place of every line, or of one, among those that hold others up.

        Args:
            joined_after: places that were taken earlier hold nobody up.
            line: the only line to look at; None means all of them.
        """
        ...

    async def places(
        self, system: SourceSystem, steps: Sequence[str], after: str | None, limit: int
    ) -> tuple[Place, ...]:
        """Return places before a system at one of these steps, by process id, from behind ``after`` on."""
        ...
