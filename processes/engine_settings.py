"""Where and as whom processes run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from processes.slots import SlotTimes
from processes.steps import RetryPolicy

__all__ = ["EARLIER_VERSIONS", "PROCESS_VERSION", "EngineSettings"]

PROCESS_VERSION = "2"
"""Version of the processes; ``docs/process-versions.md`` says when a new one is needed.

1. Each step is an entry of the journal; later, steps are recorded together where the run's input says so.
2. The same, and no program that knows only the first form carries such a run.
"""

EARLIER_VERSIONS = ("1",)
"""Versions whose runs go on under this one; each has its histories in the tests."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where and as whom processes run.

    Attributes:
        database_url: URL of the platform's database. On PostgreSQL the journal is a schema ``dbos`` of the same
            database; beside an SQLite file it is a file of its own, so that both do not wait for one lock.
        version: version of the processes; runs of another version wait for a program that has it.
        earlier_versions: versions whose runs this one goes on with.
        retries: how systems that do not answer are tried.
        slot_times: when a slot counts as lost or vacant.
    """

    database_url: str
    version: str = PROCESS_VERSION
    earlier_versions: tuple[str, ...] = EARLIER_VERSIONS
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    slot_times: SlotTimes = field(default_factory=SlotTimes)

    @property
    def journal_url(self) -> str:
        """URL of DBOS's tables."""
        url = make_url(self.database_url)
        if url.get_backend_name() == "sqlite":
            path = Path(str(url.database))
            return f"sqlite:///{path.with_name(f'{path.stem}-processes.db')}"
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
