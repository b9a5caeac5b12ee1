"""What a program remembers of the processes that it carries: which began here, who waits, and how they ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress

from processes.runner import Ending
from schema.enums import ProcessState

__all__ = ["KEPT_ENDINGS", "Endings"]

KEPT_ENDINGS = 1_000
"""Endings that are kept in memory; older ones are read from the journal. Whoever started a process asks within half a
minute how it ended, and in that time end some hundred."""


class Endings:
    """The memory of one engine: runs under way, and the latest that ended."""

    def __init__(self) -> None:
        self._fresh: set[str] = set()
        self._undecided: set[str] = set()
        self._told: set[str] = set()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._ended: OrderedDict[str, Ending | None] = OrderedDict()

    @property
    def undecided(self) -> int:
        """Number of processes that began here and have no answer yet for whoever started them."""
        return len(self._undecided)

    def begin(self, process_id: str) -> None:
        """Remember that the process is begun here and now."""
        self._fresh.add(process_id)
        self._undecided.add(process_id)

    def forget(self, process_id: str) -> None:
        """Forget how the process ended: it goes on."""
        self._fresh.discard(process_id)
        self._told.discard(process_id)
        self._ended.pop(process_id, None)

    def is_fresh(self, process_id: str) -> bool:
        """Return whether the process began in this program and has not ended."""
        return process_id in self._fresh

    def tell(self, process_id: str) -> None:
        """Wake whoever waits for an answer of the process, which is under way."""
        self._undecided.discard(process_id)
        self._told.add(process_id)
        self._wake(process_id)

    def has_told(self, process_id: str) -> bool:
        """Return whether the process has an answer for whoever started it."""
        return process_id in self._told or process_id in self._ended

    def stop(self, process_id: str) -> None:
        """Remember that the run is not carried here any more, however that came about."""
        self._fresh.discard(process_id)
        self._undecided.discard(process_id)
        self._told.discard(process_id)

    async def told(self, process_id: str, timeout_s: float) -> None:
        """Wait until the process has an answer for whoever started it, at most ``timeout_s``."""
        if self.has_told(process_id):
            return
        waiting = self._waiting.setdefault(process_id, set())
        answer = asyncio.get_running_loop().create_future()
        waiting.add(answer)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await answer
        finally:
            waiting.discard(answer)
            if not waiting:
                self._waiting.pop(process_id, None)

    def end(self, process_id: str, ending: Ending) -> None:
        """Remember how a run ended, and wake whoever waits for that.

        That of a process which waits for a person is left to the journal: another program may go on with it.
        """
        self.stop(process_id)
        self._ended.pop(process_id, None)
        self._ended[process_id] = None if ending.state is ProcessState.WAITING_HUMAN else ending
        if len(self._ended) > KEPT_ENDINGS:
            self._ended.popitem(last=False)
        self._wake(process_id)

    def get(self, process_id: str) -> Ending | None:
        """Return how the process ended, None when that is not remembered."""
        return self._ended.get(process_id)

    def _wake(self, process_id: str) -> None:
        for answer in self._waiting.get(process_id, ()):
            if not answer.done():
                answer.set_result(None)
