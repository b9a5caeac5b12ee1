"""One class over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, insert, select, text

from systems.errors import Conflict, Rejected, Unavailable
from systems.platform import connections as connections_module
from systems.platform import database as database_module
from systems.platform.database import Database
from systems.platform.statements import driver_of, run
from systems.platform.tables import number_sequences, reservation_balances, reservations
from tests.support.platform_records import NOW


def row(name: str, value: int = 1) -> dict[str, Any]:
    return {"name": name, "last_value": value}


async def names(database: Database) -> list[str]:
    async with database.reading() as connection:
        found = await connection.execute(select(number_sequences.c.name).order_by(number_sequences.c.name))
        return list(found.scalars())


def end_sessions(url: str) -> None:
    """End every other session of a PostgreSQL database, as a server does that restarts."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_transaction_is_kept_as_a_whole(database: Database):
    async with database.transaction() as connection:
        await connection.execute(insert(number_sequences), [row("a"), row("b")])
    assert await names(database) == ["a", "b"]


async def test_an_exception_takes_everything_back(database: Database):
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(insert(number_sequences), [row("a")])
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await names(database) == []


async def test_a_cancelled_transaction_takes_everything_back_and_lets_others_write(database: Database):
    written = asyncio.Event()

    async def write_and_wait() -> None:
        async with database.transaction() as connection:
            await connection.execute(insert(number_sequences), [row("a")])
            written.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(write_and_wait())
    await written.wait()
    running.cancel()
    await asyncio.wait([running])
    async with database.transaction() as connection:
        await connection.execute(insert(number_sequences), [row("b")])
    assert await names(database) == ["b"]


async def test_what_is_written_while_reading_is_refused_or_lost(database: Database):
    with nullcontext() if database.is_sqlite else pytest.raises(Unavailable, match="read-only"):
        async with database.reading() as connection:
            await connection.execute(insert(number_sequences), [row("a")])
    assert await names(database) == []


async def test_reading_does_not_wait_for_a_writer(database: Database):
    async with database.transaction() as connection:
        await connection.execute(insert(number_sequences), [row("a")])
        assert await names(database) == []


async def test_a_second_row_with_the_same_key_is_a_conflict(database: Database):
    with pytest.raises(Conflict):
        async with database.transaction("make numbers") as connection:
            await connection.execute(insert(number_sequences), [row("a"), row("a")])


async def test_a_quantity_finer_than_the_column_is_rejected(database: Database):
    balance = {"sku": "s", "warehouse_code": "w", "held": Decimal("0.0000001")}
    with pytest.raises(Rejected, match="more than 6 decimals"):
        async with database.transaction() as connection:
            await connection.execute(insert(reservation_balances), [balance])


async def test_a_time_without_zone_is_rejected(database: Database):
    with pytest.raises(Rejected, match="has no zone"):
        async with database.reading() as connection:
            await connection.execute(select(reservations).where(reservations.c.expires_at > NOW.replace(tzinfo=None)))


async def test_quantities_are_added_without_rounding(database: Database):
    thirds = [{"sku": f"s{n}", "warehouse_code": "w", "held": Decimal("0.1")} for n in range(3)]
    async with database.transaction() as connection:
        await connection.execute(insert(reservation_balances), thirds)
        held = reservation_balances.c.held
        total = await connection.execute(select(func.sum(held, type_=held.type)))
        assert total.scalar_one() == Decimal("0.3")


async def test_a_statement_that_the_database_refuses_is_no_usable_answer(database: Database):
    with pytest.raises(Unavailable, match="PLATFORM read the moon") as caught:
        async with database.reading("read the moon") as connection:
            await connection.execute(text("SELECT * FROM moon"))
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("is_prepared", [False, True], ids=["through-sqlalchemy", "past-it"])
async def test_a_failure_while_committing_leaves_the_outcome_unknown(
    database: Database, monkeypatch: Any, is_prepared: bool
):
    statement = insert(number_sequences).values(row("a"))

    async def lose_the_line() -> None:
        async with database.transaction() as connection:
            dialect = connection.dialect

            async def broken(*_: Any) -> None:
                raise dialect.loaded_dbapi.OperationalError("the line went dead")

            await (run(connection, statement) if is_prepared else connection.execute(statement))
            monkeypatch.setattr(type(driver_of(connection)), "commit", broken)

    with pytest.raises(Unavailable) as caught:
        await lose_the_line()
    assert caught.value.outcome_unknown
    monkeypatch.undo()
    assert await names(database) == []


@pytest.mark.parametrize("is_prepared", [False, True], ids=["through-sqlalchemy", "past-it"])
async def test_a_cancelled_statement_leaves_the_connection_fit_for_others(database: Database, is_prepared: bool):
    statement = insert(number_sequences).values(row("a"))

    async def write() -> None:
        async with database.transaction() as connection:
            await (run(connection, statement) if is_prepared else connection.execute(statement))

    writing = [asyncio.create_task(write()) for _ in range(2)]
    await asyncio.sleep(0)
    for task in writing:
        task.cancel()
    await asyncio.wait(writing)
    async with database.transaction() as connection:
        await run(connection, insert(number_sequences).values(row("b")))
    assert await names(database) == ["b"]


async def test_who_would_rather_know_than_wait_is_told_at_once_that_all_connections_are_busy(database_url: str):
    async with Database(database_url, pool_size=1) as database, database.transaction():
        with pytest.raises(Unavailable) as caught:
            async with database.transaction("claim", wait_s=0.01):
                pytest.fail("there is one connection, and it is in use")
    assert not caught.value.outcome_unknown


async def test_a_connection_that_the_server_has_ended_meanwhile_is_replaced(postgres_url: str, monkeypatch: Any):
    monkeypatch.setattr(connections_module, "IDLE_S", 0.0)
    async with Database(postgres_url) as database:
        async with database.transaction() as connection:
            await connection.execute(insert(number_sequences), [row("a")])
        assert await names(database) == ["a"]
        await asyncio.to_thread(end_sessions, postgres_url)
        async with database.transaction() as connection:
            await connection.execute(insert(number_sequences), [row("b")])
        assert await names(database) == ["a", "b"]


async def test_a_connection_that_ends_while_it_is_used_is_not_used_again(postgres_url: str):
    async def lose_it(database: Database) -> None:
        async with database.transaction() as connection:
            await run(connection, insert(number_sequences).values(row("a")))
            await asyncio.to_thread(end_sessions, postgres_url)
            await run(connection, insert(number_sequences).values(row("b")))

    async with Database(postgres_url) as database:
        with pytest.raises(Unavailable):
            await lose_it(database)
        async with database.transaction() as connection:
            await run(connection, insert(number_sequences).values(row("c")))
        assert await names(database) == ["c"]


async def test_a_writer_inside_a_writer_gives_up(sqlite_url: str, monkeypatch: Any):
    monkeypatch.setattr(database_module, "LOCK_WAIT_S", 0.05)
    async with Database(sqlite_url) as database, database.transaction():
        with pytest.raises(Unavailable, match="another transaction of this process"):
            async with database.transaction():
                pytest.fail("two writers at once")


async def test_an_sqlite_writer_waits_for_another_process(sqlite_url: str):
    async with Database(sqlite_url) as one, Database(sqlite_url) as other:
        begun = asyncio.Event()

        async def write(database: Database, name: str) -> None:
            async with database.transaction() as connection:
                begun.set()
                await connection.execute(insert(number_sequences), [row(name)])

        async with one.transaction() as connection:
            waiting = asyncio.create_task(write(other, "b"))
            await connection.execute(insert(number_sequences), [row("a")])
            assert not begun.is_set()
        await waiting
        assert await names(one) == ["a", "b"]


async def test_sqlite_files_are_journaled_and_their_folder_is_made(tmp_path: Any):
    async with (
        Database(f"sqlite+aiosqlite:///{tmp_path}/new/folder/x.db") as database,
        database.reading() as connection,
    ):
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in ("journal_mode", "foreign_keys")
        ]
        assert found == ["wal", 1]


async def test_a_connection_to_sqlite_keeps_no_more_pages_than_it_may(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PAGE_CACHE_KIB", 500)
    async with Database(sqlite_url) as database, database.reading() as connection:
        assert (await connection.execute(text("PRAGMA cache_size"))).scalar() == -500


async def test_a_server_that_is_not_there_is_unavailable():
    async with Database("postgresql+psycopg://nobody@127.0.0.1:1/x") as database:
        with pytest.raises(Unavailable) as caught:
            async with database.transaction("write"):
                pytest.fail("nobody listens there")
    assert not caught.value.outcome_unknown


async def test_a_database_that_is_not_open_says_so(sqlite_url: str):
    database = Database(sqlite_url)
    with pytest.raises(RuntimeError, match="not open"):
        async with database.reading():
            pytest.fail("it is closed")


def test_a_database_is_of_the_loop_that_opened_it(sqlite_url: str):
    async def use_elsewhere() -> None:
        async with Database(sqlite_url) as database:

            def elsewhere() -> None:
                async def use() -> None:
                    async with database.reading():
                        pytest.fail("another loop")

                asyncio.run(use())

            with pytest.raises(RuntimeError, match="another event loop"):
                await asyncio.to_thread(elsewhere)

    asyncio.run(use_elsewhere())


def test_a_url_is_shown_without_its_password():
    assert "secret" not in Database("postgresql+psycopg://u:secret@h/x").url


async def test_what_is_asked_as_the_last_thing_is_kept_with_the_rest_and_told_its_rows(database: Database):
    told: list[list[list[tuple[Any, ...]]]] = []
    named = insert(number_sequences).returning(number_sequences.c.name)
    async with database.transaction() as connection:
        await run(connection, insert(number_sequences).values(row("a")))
        await database.run_last(connection, [(named.values(row("b")), {}), (named.values(row("c")), {})], told.append)
    assert told == [[[("b",)], [("c",)]]]
    async with database.transaction() as connection:
        await database.run_last(connection, [(named.values(row("d")), {})], told.append)
    assert await names(database) == ["a", "b", "c", "d"]


async def test_the_last_thing_takes_the_rest_with_it_when_it_fails(database: Database):
    async def fail() -> None:
        async with database.transaction() as connection:
            await run(connection, insert(number_sequences).values(row("a")))
            asked = [(insert(number_sequences).values(row(name)), {}) for name in ("b", "a", "c")]
            await database.run_last(connection, asked, lambda _: None)

    for _ in range(2):
        with pytest.raises(Conflict):
            await fail()
    assert await names(database) == []


async def test_the_last_thing_is_not_asked_when_something_before_it_fails(database: Database):
    async def fail() -> None:
        async with database.transaction() as connection:
            await database.run_last(connection, [(insert(number_sequences).values(row("a")), {})], lambda _: None)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with database.transaction() as connection:
        await run(connection, insert(number_sequences).values(row("b")))
    assert await names(database) == ["b"]
