"""The migrated schema is the one that the stores are written against."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import column, insert, table
from sqlalchemy.engine import Connection

from crossdock import migrations
from crossdock.migrations import upgrade, upgrade_database
from schema.enums import OrderStatus, QuoteStatus
from schema.records.orders import OrderFilter
from schema.records.problems import CreditHold
from schema.records.values import PageRequest
from systems.platform import PlatformOrderLedger, PlatformQuoteStore, PlatformTaskQueue, tables
from systems.platform.database import Database
from systems.platform.orders import order_row
from systems.platform.quotes import quote_row
from systems.platform.tasks import task_row
from tests.support.platform_records import RecordedEvents, ledger_order, quote, task


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


async def test_orders_that_there_were_are_found_by_whether_they_may_have_exceptions(empty_database_url: str):
    orders = (
        ledger_order(1, status=OrderStatus.ACCEPTED),
        ledger_order(2, status=OrderStatus.REJECTED, exceptions=(CreditHold(code="CREDIT_HOLD", message="m"),)),
        ledger_order(3, status=OrderStatus.COMPLETED),
        ledger_order(4, status=OrderStatus.CANCELLED),
        ledger_order(5, status=OrderStatus.ON_HOLD),
    )
    known = [entry for entry in tables.ledger_orders.columns if entry.name != "may_have_exceptions"]
    old = table("ledger_orders", *(column(entry.name, entry.type) for entry in known))
    async with Database(empty_database_url) as database:
        async with database.transaction() as connection:
            await connection.run_sync(_migrate, "0003")
            rows = [{entry.name: row[entry.name] for entry in known} for row in map(order_row, orders)]
            await connection.execute(insert(old), rows)
        await upgrade_database(database)
        ledger = PlatformOrderLedger(database, RecordedEvents().append)
        found = await ledger.search_orders(OrderFilter(may_have_exceptions=True), 10)
        assert found == (orders[4], orders[1], orders[0])
        assert await ledger.orders([order.id for order in orders]) == {order.id: order for order in orders}
        async with database.transaction() as connection:
            assert await connection.run_sync(_differences) == []


async def test_quotes_that_there_were_are_found_by_their_last_day(empty_database_url: str):
    known = [entry for entry in tables.quotes.columns if entry.name != "valid_until"]
    old = table("quotes", *(column(entry.name, entry.type) for entry in known))
    made = [quote(1, version=1, valid_until=date(2026, 4, 1)), quote(2, version=1, valid_until=date(2026, 4, 2))]
    async with Database(empty_database_url) as database:
        async with database.transaction() as connection:
            await connection.run_sync(_migrate, "0012")
            rows = [{entry.name: row[entry.name] for entry in known} for row in map(quote_row, made)]
            await connection.execute(insert(old), rows)
        await upgrade_database(database)
        store = PlatformQuoteStore(database, RecordedEvents().append)
        assert await store.ended([QuoteStatus.PRICED], date(2026, 4, 2), 10) == (made[0],)


async def test_tasks_that_there_were_are_found_by_their_account(empty_database_url: str):
    known = [entry for entry in tables.exception_tasks.columns if entry.name not in ("account_id", "closed_at")]
    old = table("exception_tasks", *(column(entry.name, entry.type) for entry in known))
    made = [task(1), task(2, account_id=None), task(3, account_id="acc_2")]
    async with Database(empty_database_url) as database:
        async with database.transaction() as connection:
            await connection.run_sync(_migrate, "0014")
            rows = [{entry.name: row[entry.name] for entry in known} for row in map(task_row, made)]
            await connection.execute(insert(old), rows)
        await upgrade_database(database)
        queue = PlatformTaskQueue(database, RecordedEvents().append)
        assert (await queue.search_tasks(None, None, PageRequest(9), None, ["acc_1"])).items == (made[0], made[1])


def _migrate(connection: Connection, revision: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)


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
