"""Where and as whom processes run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from processes.slots import SlotTimes
from processes.steps import RetryPolicy

__all__ = ["PROCESS_VERSION", "EngineSettings"]

PROCESS_VERSION = "1"
"""Version of the processes; a new one is needed when a step is added, removed or moved."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where and as whom processes run.

    Attributes:
        database_url: URL of the platform's database. On PostgreSQL the journal is a schema ``dbos`` of the same
            database; beside an SQLite file it is a file of its own, so that both do not wait for one lock.
        version: version of the processes; runs of another version wait for a program that has it.
        retries: how systems that do not answer are tried.
        slot_times: when a slot counts as lost or vacant.
    """

    database_url: str
    version: str = PROCESS_VERSION
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
