"""Statements that are made once and go past SQLAlchemy's executor: same rows, same failures, same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import bindparam, select

from systems.errors import Conflict, Rejected
from systems.platform.database import Database
from systems.platform.statements import by_kind, insert_of, numbered, run
from systems.platform.tables import reservations
from tests.support.platform_records import NOW

INSERT = by_kind(lambda kind: insert_of(reservations, kind).returning(reservations.c.id))
INSERT_TWO = by_kind(lambda kind: insert_of(reservations, kind, 2))
BY_KEY = select(reservations.c.id, reservations.c.quantity, reservations.c.expires_at).where(
    reservations.c.key == bindparam("wanted")
)


def row(identifier: str, quantity: str = "1.5", **changed: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "key": "k1",
        "line_no": 1,
        "account_id": "acc_1",
        "sku": "SKU-1",
        "warehouse_code": "W01",
        "quantity": Decimal(quantity),
        "uom": "EA",
        "status": "HELD",
        "expires_at": NOW,
        **changed,
    }


async def write(database: Database, statements: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    async with database.transaction("write rows") as connection:
        return await run(connection, statements[connection.dialect.name], values)


async def test_rows_are_read_as_the_types_of_their_columns_say(database: Database):
    assert await write(database, INSERT, row("a")) == [("a",)]
    (found,) = await database.ask("read rows", BY_KEY, {"wanted": "k1"})
    assert found == ("a", Decimal("1.5"), NOW)
    assert found[2].tzinfo is not None


async def test_several_rows_are_written_by_one_statement_that_returns_none(database: Database):
    assert await write(database, INSERT_TWO, numbered([row("a"), row("b", "2")])) == []
    found = await database.ask("read rows", BY_KEY, {"wanted": "k1"})
    assert sorted((name, quantity) for name, quantity, _ in found) == [("a", Decimal("1.5")), ("b", Decimal(2))]


async def test_a_statement_belongs_to_the_transaction_around_it(database: Database):
    async def fail() -> None:
        async with database.transaction() as connection:
            await run(connection, INSERT[connection.dialect.name], row("a"))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await database.ask("read rows", BY_KEY, {"wanted": "k1"}) == []


async def test_two_statements_on_a_reading_connection_read_and_keep_nothing_open(database: Database):
    await write(database, INSERT, row("a"))
    async with database.reading() as connection:
        first = await run(connection, BY_KEY, {"wanted": "k1"})
        assert await run(connection, BY_KEY, {"wanted": "k1"}) == first
    assert await write(database, INSERT, row("b")) == [("b",)]


async def test_a_broken_uniqueness_rule_is_a_conflict(database: Database):
    await write(database, INSERT, row("a"))
    with pytest.raises(Conflict):
        await write(database, INSERT, row("a"))


@pytest.mark.parametrize(
    "changed", [{"quantity": Decimal("0.0000001")}, {"expires_at": NOW.replace(tzinfo=None)}], ids=["fraction", "zone"]
)
async def test_a_value_that_its_column_cannot_hold_is_rejected(database: Database, changed: dict[str, Any]):
    with pytest.raises(Rejected) as caught:
        await write(database, INSERT, row("a", **changed))
    assert caught.value.reason == "BAD_VALUE"
    assert await database.ask("read rows", BY_KEY, {"wanted": "k1"}) == []
