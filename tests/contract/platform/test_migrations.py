"""The migrated schema is the one that the stores are written against."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from crossdock.migrations import upgrade
from systems.platform import tables
from systems.platform.database import Database


def _differences(connection: Connection) -> list[object]:
    ours = set(tables.metadata.tables)

    def is_ours(found: object, name: str | None, kind: str, reflected: bool, compared_to: object) -> bool:
        return kind != "table" or name in ours

    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True, "include_object": is_ours}
    )
    return list(compare_metadata(context, tables.metadata))


async def test_migrating_an_empty_database_makes_exactly_the_tables_of_the_stores(empty_database_url: str):
    await upgrade(empty_database_url)
    async with Database(empty_database_url) as database, database.transaction() as connection:
        assert await connection.run_sync(_differences) == []


async def test_migrating_twice_changes_nothing(database_url: str):
    await upgrade(database_url)
    async with Database(database_url) as database, database.transaction() as connection:
        assert await connection.run_sync(_differences) == []


async def test_processes_that_start_together_migrate_once(empty_database_url: str):
    await asyncio.gather(*(upgrade(empty_database_url) for _ in range(4)))
    async with Database(empty_database_url) as database, database.transaction() as connection:
        assert await connection.run_sync(_differences) == []


async def test_the_comparison_notices_a_missing_column(database: Database):
    async with database.transaction() as connection:
        await connection.exec_driver_sql("ALTER TABLE ledger_orders DROP COLUMN erp_number")
        differences = await connection.run_sync(_differences)
    assert [entry[0] for entry in differences if isinstance(entry, tuple)] == ["add_column"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("mysql://x/y", "mysql", id="a driver that is not supported is named"),
        pytest.param("sqlite+aiosqlite:///:memory:", "names no file", id="a database in memory is refused"),
    ],
)
async def test_a_url_of_no_platform_database_is_refused(url: str, said: str):
    with pytest.raises(ValueError, match=said):
        await upgrade(url)
