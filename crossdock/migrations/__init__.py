"""The database's schema, brought up to date by Alembic from within the program.

Version files live in ``versions``; each states its tables itself, so that an old version keeps meaning what it meant.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import Connection

from systems.platform.database import Database

__all__ = ["upgrade", "upgrade_database"]

_LOCK_KEY = 0x63726F73
"""PostgreSQL advisory lock that lets one process migrate while others wait ("cros" as a number)."""


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database up to the newest version, or to an earlier one; safe to call from many processes at once.

    Raises:
        ValueError: the URL is not one of a platform database.
        Unavailable: the database does not answer.
    """
    async with Database(database_url) as database:
        await upgrade_database(database, revision)


async def upgrade_database(database: Database, revision: str = "head") -> None:
    """Bring an open database up to the newest version, or to an earlier one, in one transaction."""
    async with database.transaction("upgrade schema") as connection:
        if database.is_sqlite:
            await connection.begin()  # Alembic commits after each version where SQLAlchemy knows of no transaction
        else:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        await connection.run_sync(_upgrade, revision)


def _upgrade(connection: Connection, revision: str) -> None:
    configuration = Config()
    folder = str(Path(__file__).parent)
    configuration.set_main_option("script_location", folder.replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)
