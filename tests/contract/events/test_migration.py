"""The migrated tables of log and inbox are those that the code is written against."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from events.tables import metadata
from systems.platform.database import Database


def _differences(connection: Connection) -> list[object]:
    ours = set(metadata.tables)

    def is_ours(found: object, name: str | None, kind: str, reflected: bool, compared_to: object) -> bool:
        return kind != "table" or name in ours

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_ours})
    return list(compare_metadata(context, metadata))


async def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    async with database.transaction() as connection:
        assert await connection.run_sync(_differences) == []
