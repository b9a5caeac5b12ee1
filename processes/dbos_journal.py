"""DBOS as the journal of runs: its settings, its file, and what one run records in it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig
from sqlalchemy import make_url

from processes.adoption import adopt
from processes.engine_settings import EngineSettings
from processes.journal import JournalSerializer
from processes.slots import slot_name
from processes.takeover import MAX_RESUMED

__all__ = ["WAKE", "DbosJournal", "DbosRuns", "dbos_config", "make_journal"]

NOTICE_S = 0.2
"""How often DBOS looks for messages that wake waiting runs; one question for all of them."""

MAX_THREADS = 8
"""Threads in which DBOS writes its journal."""

WAKE = "wake"
"""Topic of messages that wake a run which waits for what persons decide."""

LOCK_WAIT_S = 10
"""Longest wait for the file of a journal while another program makes it."""


class DbosJournal:
    """:class:`processes.runner.Durable` for the run that the present task carries."""

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return what ``work`` returned when it was done before, else do it and keep what it returns."""

        async def recorded() -> Any:
            return await work()

        return await DBOS.run_step_async({"name": name}, recorded)

    async def sleep(self, seconds: float) -> None:
        """Sleep until the moment that is kept when the sleep begins first."""
        await DBOS.sleep_async(seconds)

    async def woken(self, seconds: float) -> bool:
        """Wait to be woken, at most ``seconds``; return whether that happened."""
        return await DBOS.recv_async(WAKE, timeout_seconds=seconds) is not None


class DbosRuns:
    """:class:`processes.takeover.WaitingRuns` in the journal.

    Args:
        settings: where the journal is, and which versions of processes are known here.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings

    async def slots_with_runs(self, names: Sequence[str]) -> frozenset[str]:
        """Return those of these slots under which runs are unfinished; not necessarily all of them at once."""
        found = await DBOS.list_workflows_async(
            status="PENDING", executor_id=list(names), limit=MAX_RESUMED, load_input=False, load_output=False
        )
        return frozenset(run.executor_id for run in found if run.executor_id is not None)

    async def runs_of(self, name: str, limit: int) -> tuple[str, ...]:
        """Return ids of unfinished runs of a slot."""
        found = await DBOS.list_workflows_async(
            status="PENDING", executor_id=name, limit=limit, load_input=False, load_output=False
        )
        return tuple(run.workflow_id for run in found)

    async def resume(self, run_ids: Sequence[str]) -> None:
        """Have the runs carried by whichever program picks them up; those of earlier versions by one of this."""
        await asyncio.to_thread(adopt, self._settings, run_ids)
        await DBOS.resume_workflows_async(list(run_ids))


def dbos_config(settings: EngineSettings, slot: int) -> DBOSConfig:
    """Return DBOS's settings for the program that holds a slot."""
    return {
        "name": "crossdock",
        "system_database_url": settings.journal_url,
        "executor_id": slot_name(slot),
        "application_version": settings.version,
        "serializer": JournalSerializer(),
        "log_level": "ERROR",
        "enable_otlp": False,
        "use_listen_notify": False,
        "notification_listener_polling_interval_sec": NOTICE_S,
        "max_executor_threads": MAX_THREADS,
    }


def make_journal(settings: EngineSettings) -> None:
    """Make the file of a journal on SQLite with a write-ahead log: readers and writer do not wait for each other."""
    url = make_url(settings.journal_url)
    if url.get_backend_name() != "sqlite":
        return
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=LOCK_WAIT_S)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
