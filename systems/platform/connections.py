"""Connections of one engine that stay open between uses, at most so many, and each use waits for a bounded time.

SQLAlchemy would give a connection back and look it up again for every transaction, which takes longer than to begin and
commit one. Whoever used a connection may have run statements through SQLAlchemy, past it, or both; it is put back with
no transaction open on either side, or not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schema.enums import SourceSystem
from systems.errors import Unavailable
from systems.platform.statements import Asked, driver_of, failure, run, run_and_commit

__all__ = ["BUSY_RETRY_S", "Connections", "Last", "commit", "is_in_transaction"]

IDLE_S = 1.0
"""A connection to a server that was not used for this long is asked whether it still lives before it is used.

One that was used just now is not asked: that would double the round trips of a busy program.
"""

BUSY_RETRY_S = 1.0
"""When to ask again after all connections were in use: in that time a program does hundreds of transactions."""

Last = tuple[Sequence[Asked], Callable[[list[list[tuple[Any, ...]]]], None]]
"""Statements that are sent together with the commit, and who is told their rows."""

_ALIVE = text("SELECT 1")


class Connections:
    """Connections of an engine that keeps none itself.

    Args:
        engine: makes connections; of a ``NullPool``.
        size: connections at most.
    """

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(size)
        self._idle: list[tuple[AsyncConnection, float]] = []
        self._cleaning: set[asyncio.Task[None]] = set()

    @property
    def engine(self) -> AsyncEngine:
        """What makes the connections."""
        return self._engine

    @asynccontextmanager
    async def use(self, operation: str, wait_s: float) -> AsyncIterator[AsyncConnection]:
        """Yield a connection that nobody else uses; what is not committed at the end is rolled back.

        Args:
            operation: what it is for, for the message of a failure.
            wait_s: longest wait while all are in use.

        Raises:
            Unavailable: all of them stayed in use.
            SQLAlchemyError: no connection can be made.
        """
        try:
            async with asyncio.timeout(wait_s):
                await self._turns.acquire()
        except TimeoutError as error:
            busy = f"no free connection within {wait_s:g} s"
            raise Unavailable(
                SourceSystem.PLATFORM, operation, busy, outcome_unknown=False, retry_after_s=BUSY_RETRY_S
            ) from error
        try:
            connection = await self._take()
            is_cut_off = False
            try:
                yield connection
            except asyncio.CancelledError:
                is_cut_off = True  # what was sent may take effect only now, and nothing tells yet
                raise
            finally:
                if not is_cut_off and _is_clean(connection):
                    self._idle.append((connection, time.monotonic()))
                else:
                    await self._clean_whatever_comes(connection)
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close every connection, those that are being cleaned for who was cancelled among them."""
        await asyncio.gather(*self._cleaning)
        while self._idle:
            await self._idle.pop()[0].close()
        await self._engine.dispose()

    async def _take(self) -> AsyncConnection:
        while self._idle:
            connection, since = self._idle.pop()
            try:
                if time.monotonic() - since <= IDLE_S or await _lives(connection):
                    return connection
            except asyncio.CancelledError:
                await self._clean_whatever_comes(connection)
                raise
            await _drop(connection)
        return await self._connect()

    async def _connect(self) -> AsyncConnection:
        """Make a connection; one whose user is cancelled meanwhile is made to the end and closed."""
        making = asyncio.create_task(self._made())
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._see_to_the_end(_unmade(making))
            raise

    async def _made(self) -> AsyncConnection:
        return await self._engine.connect()

    async def _clean_whatever_comes(self, connection: AsyncConnection) -> None:
        """Clean a connection to the end, also when whoever used it is cancelled meanwhile."""
        await asyncio.shield(self._see_to_the_end(self._clean(connection)))

    def _see_to_the_end(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        return task

    async def _clean(self, connection: AsyncConnection) -> None:
        """Roll back what is open and keep the connection, or drop it when that fails."""
        try:
            if _is_begun(connection):
                await connection.rollback()
            if not _is_broken(connection):
                await driver_of(connection).rollback()
        except (SQLAlchemyError, connection.dialect.loaded_dbapi.Error):
            await _drop(connection)
            return
        if _is_clean(connection):
            self._idle.append((connection, time.monotonic()))
        else:
            await _drop(connection)


async def commit(connection: AsyncConnection, last: Sequence[Last] = ()) -> None:
    """Commit what was done on a connection, through SQLAlchemy or past it.

    Args:
        connection: the connection.
        last: what is sent together with the commit, and who is told the rows when that is done; on PostgreSQL.

    Raises:
        StatementError: as SQLAlchemy raises it.
    """
    if last:
        found = iter(await run_and_commit(connection, [entry for asked, _ in last for entry in asked]))
        for asked, tell in last:
            tell([next(found) for _ in asked])
    if _is_begun(connection):
        await connection.commit()
        return
    try:
        await driver_of(connection).commit()
    except connection.dialect.loaded_dbapi.Error as error:
        raise await failure(connection, "COMMIT", (), error) from error


def is_in_transaction(connection: AsyncConnection) -> bool:
    """Return whether the driver has a transaction open, begun through SQLAlchemy or past it."""
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        return bool(driver.in_transaction)
    return bool(driver.pgconn.transaction_status)


def _is_begun(connection: AsyncConnection) -> bool:
    """Return whether SQLAlchemy has a transaction, be it a failed one that has to be rolled back."""
    return cast("Any", connection.sync_connection).get_transaction() is not None


def _is_broken(connection: AsyncConnection) -> bool:
    """Return whether there is no driver's connection behind it; SQLAlchemy would make one for whoever asks for that."""
    return connection.closed or connection.invalidated


def _is_clean(connection: AsyncConnection) -> bool:
    return not (_is_broken(connection) or _is_begun(connection) or is_in_transaction(connection))


async def _lives(connection: AsyncConnection) -> bool:
    if connection.dialect.name == "sqlite":
        return True
    try:
        await run(connection, _ALIVE)
        await driver_of(connection).rollback()
    except (SQLAlchemyError, connection.dialect.loaded_dbapi.Error):
        return False
    return True


async def _unmade(making: asyncio.Task[AsyncConnection]) -> None:
    """Close a connection that nobody waits for any more, once it is made."""
    with suppress(SQLAlchemyError):
        await _drop(await making)


async def _drop(connection: AsyncConnection) -> None:
    """Close a connection that may be broken."""
    with suppress(SQLAlchemyError, connection.dialect.loaded_dbapi.Error):
        await connection.invalidate()
    await connection.close()
