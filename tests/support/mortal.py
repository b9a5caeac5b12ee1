"""Moments at which a program may be killed: after everything that outlives it.

What is in between leaves nothing behind, so that a kill after each of these moments is a kill everywhere:

- ``begun``: the run is in the journal,
- ``committed <operation>``: the platform's database has committed,
- ``answered <operation>``: another system has changed something and not answered yet,
- ``kept <entry>``: the journal has the outcome of a step, or of several that are recorded together.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from processes.dbos_journal import DbosJournal
from processes.registry import Process
from processes.worker import ProcessEngine
from systems.platform import Database
from tests.support.fake_systems import Script

__all__ = ["Moments"]


class Moments:
    """Counts the moments that a program passes, and kills it at one of them.

    Args:
        last: number of the moment, or its name: then the first of that name; None lets the program live.
    """

    def __init__(self, last: int | str | None) -> None:
        self.passed: list[str] = []
        self._last = last

    def watch(self) -> None:
        """Begin to count."""
        self._watch_runs()
        self._watch_commits()
        self._watch_systems()

    def pass_(self, name: str) -> None:
        """Pass a moment, or die at it."""
        self.passed.append(name)
        if self._last in (name, len(self.passed)):
            os.kill(os.getpid(), signal.SIGKILL)

    def _watch_runs(self) -> None:
        run, step, moments = ProcessEngine.run, DbosJournal.step, self

        async def begun(self: ProcessEngine, process: Process, document: Mapping[str, Any]) -> dict[str, Any]:
            moments.pass_("begun")
            return await run(self, process, document)

        async def kept(self: DbosJournal, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
            found = await step(self, name, work)
            moments.pass_(f"kept {name}")
            return found

        ProcessEngine.run = begun  # type: ignore[method-assign]
        DbosJournal.step = kept  # type: ignore[method-assign]

    def _watch_commits(self) -> None:
        transaction, moments = Database.transaction, self

        @asynccontextmanager
        async def committed(
            self: Database, operation: str = "write", wait_s: float | None = None
        ) -> AsyncIterator[AsyncConnection]:
            async with transaction(self, operation, wait_s) as connection:
                yield connection
            moments.pass_(f"committed {operation}")

        Database.transaction = committed  # type: ignore[method-assign]

    def _watch_systems(self) -> None:
        leave, moments = Script.leave, self

        async def answered(self: Script, operation: str) -> None:
            moments.pass_(f"answered {operation}")
            await leave(self, operation)

        Script.leave = answered  # type: ignore[method-assign]
