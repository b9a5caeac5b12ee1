"""Statements of every day, run past SQLAlchemy's executor: it takes longer to execute one than driver and database do.

A statement is written in SQLAlchemy Core as any other and made once. Its text and the conversions of its types are
worked out at first use; from then on it goes to the driver of the same connection, within the same transaction. It
answers with plain tuples, and fails as SQLAlchemy would.

What is put together for each question anew (searches, lists of any length) is executed by SQLAlchemy as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Dialect, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

__all__ = ["Asked", "by_kind", "driver_of", "failure", "insert_of", "numbered", "run", "run_and_commit"]

MAX_PLANS = 1_000
"""Statements whose text is kept, for every engine of this program; statements are made once, so there are fewer."""

Conversion = Callable[[Any], Any]

Asked = tuple[ClauseElement, Mapping[str, Any]]
"""A statement that was made once, and its parameters."""

_UPSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


@dataclass(frozen=True, slots=True)
class _Plan:
    """Text of a statement for one engine.

    Attributes:
        order: names of the parameters as SQLite takes them, by place; None where they are taken by name.
        fixed: parameters that the statement brings along.
        bind: conversions of parameters by name, for those that need one.
        read: conversions of result columns by place, for those that need one.
    """

    text: str
    order: tuple[str, ...] | None
    fixed: Mapping[str, Any]
    bind: Mapping[str, Conversion]
    read: tuple[tuple[int, Conversion], ...]

    def bound(self, parameters: Mapping[str, Any]) -> Any:
        """Return parameters as the driver takes them."""
        values = {**self.fixed, **parameters}
        for name, convert in self.bind.items():
            values[name] = convert(values[name])
        return values if self.order is None else [values[name] for name in self.order]

    def rows(self, found: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """Return rows of the driver as the columns' types read them."""
        if not self.read:
            return [tuple(row) for row in found]
        converted = []
        for row in found:
            values = list(row)
            for place, convert in self.read:
                values[place] = convert(values[place])
            converted.append(tuple(values))
        return converted


async def run(
    connection: AsyncConnection,
    statement: ClauseElement,
    parameters: Mapping[str, Any] | None = None,
    *,
    is_alone: bool = False,
) -> list[tuple[Any, ...]]:
    """Run a statement that was made once, and return its rows; none of a statement that returns no rows.

    Args:
        connection: within a transaction, or one that only reads.
        statement: without lists of unknown length (``IN`` over a list that expands).
        parameters: by the names in the statement.
        is_alone: the only statement that reads on this connection, which needs no transaction for its one moment.

    Raises:
        StatementError: as SQLAlchemy raises it.
    """
    dialect = connection.dialect
    plan = _plan(statement, dialect)
    values = {} if parameters is None else parameters
    try:
        bound = plan.bound(values)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise StatementError(str(error), plan.text, values, error) from error
    driver = driver_of(connection)
    try:
        if plan.order is None:
            cursor = await driver.execute(plan.text, bound)
            found = [] if cursor.description is None else await cursor.fetchall()
        else:
            if not is_alone and not driver.in_transaction:
                await connection.begin()
            found = await driver.execute_fetchall(plan.text, bound)
    except dialect.loaded_dbapi.Error as error:
        raise await failure(connection, plan.text, bound, error) from error
    return plan.rows(found)


async def run_and_commit(connection: AsyncConnection, asked: Sequence[Asked]) -> list[list[tuple[Any, ...]]]:
    """Run statements and commit, all sent to PostgreSQL in one go; return the rows of each.

    What they lock is locked for as long as the server takes, and not for as long as this program takes to send the
    next of them: a busy program would keep all others waiting.

    Raises:
        StatementError: as SQLAlchemy raises it.
    """
    driver, dialect = driver_of(connection), connection.dialect
    plans = [_plan(statement, dialect) for statement, _ in asked]
    try:
        async with driver.pipeline():
            cursors = [
                await driver.execute(plan.text, plan.bound(values))
                for plan, (_, values) in zip(plans, asked, strict=True)
            ]
            await driver.commit()
        await driver.commit()  # the one before was none when the transaction began in the same go
        found = [[] if cursor.description is None else await cursor.fetchall() for cursor in cursors]
    except dialect.loaded_dbapi.Error as error:
        raise await failure(connection, "; ".join(plan.text for plan in plans), (), error) from error
    return [plan.rows(rows) for plan, rows in zip(plans, found, strict=True)]


def driver_of(connection: AsyncConnection) -> Any:
    """Return the driver's own connection."""
    return cast("Any", connection.sync_connection).connection.driver_connection


def insert_of(table: Table, kind: str, count: int = 1) -> Any:
    """Return an insert of ``count`` rows for one kind of database, with ``on_conflict_...``; to be made once.

    Parameters are called like the columns, with ``_0``, ``_1``, ... behind the name when there are several rows.
    """
    columns = [column for column in table.columns if column is not table.autoincrement_column]
    statement: Any = _UPSERTS[kind](table)
    if count == 1:
        return statement.values({column.name: bindparam(column.name, type_=column.type) for column in columns})
    return statement.values(
        [
            {column.name: bindparam(f"{column.name}_{place}", type_=column.type) for column in columns}
            for place in range(count)
        ]
    )


def numbered(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the parameters of an insert of so many rows, as :func:`insert_of` calls them."""
    if len(rows) == 1:
        return rows[0]
    return {f"{name}_{place}": value for place, row in enumerate(rows) for name, value in row.items()}


def by_kind(make: Callable[[str], Any]) -> Mapping[str, Any]:
    """Return a statement that is written otherwise for each kind of database, by the name of the kind."""
    return {kind: make(kind) for kind in _UPSERTS}


@lru_cache(maxsize=MAX_PLANS)
def _plan(statement: ClauseElement, dialect: Dialect) -> _Plan:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
    positions = None if compiled.positiontup is None else tuple(compiled.positiontup)
    binds = {name: _conversion(bind.type, dialect) for name, bind in compiled.binds.items()}
    columns = getattr(statement, "exported_columns", ())
    reads = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    return _Plan(
        text=str(compiled),
        order=positions,
        fixed={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
        bind={name: convert for name, convert in binds.items() if convert is not None},
        read=tuple((place, read) for place, read in enumerate(reads) if read is not None),
    )


def _conversion(kind: TypeEngine[Any], dialect: Dialect) -> Conversion | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


async def failure(connection: AsyncConnection, text: str, bound: Any, error: Exception) -> BaseException:
    """Return a failure of the driver as SQLAlchemy's; a connection that is gone is not used again."""
    dialect = connection.dialect
    is_gone = dialect.is_disconnect(cast("Any", error), None, None)
    if is_gone:
        await connection.invalidate(error)
    return DBAPIError.instance(
        text, bound, error, dialect.loaded_dbapi.Error, connection_invalidated=is_gone, dialect=dialect
    )
