"""What a program remembers of the processes that it carries: which began here, who waits, and how they ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress

from processes.runner import Ending
from schema.enums import ProcessState

__all__ = ["Endings"]

KEPT_ENDINGS = 10_000
"""Endings that are kept in memory; older ones are read from the journal."""


class Endings:
    """The memory of one engine."""

    def __init__(self) -> None:
        self._fresh: set[str] = set()
        self._told: dict[str, asyncio.Event] = {}
        self._endings: OrderedDict[str, Ending] = OrderedDict()
        self._undecided: set[str] = set()

    @property
    def undecided(self) -> int:
        """Number of processes that began here and have no answer yet for whoever started them."""
        return len(self._undecided)

    def begin(self, process_id: str) -> None:
        """Remember that the process is begun here and now."""
        self._told.setdefault(process_id, asyncio.Event())
        self._fresh.add(process_id)
        self._undecided.add(process_id)

    def forget(self, process_id: str) -> None:
        """Forget how the process ended: it goes on."""
        self._fresh.discard(process_id)
        self._endings.pop(process_id, None)
        self._told[process_id] = asyncio.Event()

    def is_fresh(self, process_id: str) -> bool:
        """Return whether the process began in this program and has not ended."""
        return process_id in self._fresh

    def tell(self, process_id: str) -> None:
        """Wake whoever waits for an answer of the process."""
        self._undecided.discard(process_id)
        told = self._told.get(process_id)
        if told is not None:
            told.set()

    def has_told(self, process_id: str) -> bool:
        """Return whether the process has an answer for whoever started it."""
        told = self._told.get(process_id)
        return told is not None and told.is_set()

    def stop(self, process_id: str) -> None:
        """Remember that the run is not carried here any more, however that came about."""
        self._undecided.discard(process_id)

    async def told(self, process_id: str, timeout_s: float) -> None:
        """Wait until the process has an answer for whoever started it, at most ``timeout_s``."""
        told = self._told.setdefault(process_id, asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await told.wait()

    def keep(self, process_id: str, ending: Ending) -> None:
        """Remember how a run ended; another program may go on with one that waits for a person."""
        self._fresh.discard(process_id)
        if ending.state is ProcessState.WAITING_HUMAN:
            return
        self._endings[process_id] = ending
        if len(self._endings) > KEPT_ENDINGS:
            oldest, _ = self._endings.popitem(last=False)
            self._told.pop(oldest, None)

    def get(self, process_id: str) -> Ending | None:
        """Return how the process ended, None when that is not remembered."""
        return self._endings.get(process_id)
