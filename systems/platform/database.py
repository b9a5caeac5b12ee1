"""The platform's own database, SQLite or PostgreSQL, behind one small class.

1. ``transaction()`` writes: everything within is one commit. On SQLite it begins ``IMMEDIATE``, because a transaction
   that reads first and writes later would fail when another one wrote in between.
2. ``reading()`` reads: one consistent moment on SQLite, committed rows on PostgreSQL, where it is no transaction; it
   never waits for writers.
3. Failures of the driver leave as :class:`systems.errors.ConnectorError`, so that callers know one kind of failure.

Writers of one process take turns on SQLite by a lock, which costs microseconds where the file's own lock is polled for;
other processes are waited for by the file's busy timeout.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from sqlalchemy import URL, Table, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement

from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.audit import AuditEntry, Change
from systems.errors import Conflict, ConnectorError, Rejected, Unavailable
from systems.platform.connections import BUSY_RETRY_S, Connections, Last, commit
from systems.platform.statements import Asked, run

__all__ = ["MAX_POOL_SIZE", "AppendAudit", "AppendEvents", "Database", "insert_into"]

AppendAudit = Callable[[AsyncConnection, Sequence[AuditEntry]], Awaitable[None]]
"""Appends entries to the audit log within the transaction of the given connection, as the last thing in it."""


class AppendEvents(Protocol):
    """Appends events to the event log within the transaction of the given connection, as the last thing in it.

    ``change`` is the record that the events changed, for the audit.
    """

    def __call__(
        self, connection: AsyncConnection, events: Sequence[Event], change: Change | None = None, /
    ) -> Awaitable[None]:
        """Append events."""
        ...


MAX_POOL_SIZE = 10
"""Connections that one process holds, on PostgreSQL so many to write and so many to read.

More would only wait for each other at the database.
"""

POOL_WAIT_S = 10.0
"""Longest wait for a free connection before the database counts as unavailable."""

LOCK_WAIT_S = 10.0
"""Longest wait for another writer; also SQLite's busy timeout and PostgreSQL's lock timeout."""

PAGE_CACHE_KIB = 2_000
"""Pages of an SQLite file that each connection keeps; pools are small, so all of them together keep 20 MiB at most."""

WAL_PAUSE_S = 0.01
"""Pause between attempts to turn a new SQLite file to its write-ahead log while another process does the same."""

STATEMENT_TIMEOUT_S = 30.0
"""Longest run of one statement on PostgreSQL; ledgers read and write by key, so more means trouble."""

_LAST = "platform_last"
_BEGIN_WRITING = text("BEGIN IMMEDIATE")
_SQLITE = "sqlite"
_DRIVERS = ("sqlite+aiosqlite", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class _Pools:
    """Connections to write and to read with; on SQLite they are the same."""

    writers: Connections
    readers: Connections


class Database:
    """A database of the platform; opened with ``async with`` and used in the event loop that opened it.

    Args:
        url: ``sqlite+aiosqlite:///path/to/file`` or ``postgresql+psycopg://user:password@host/name``.
        pool_size: connections kept at most, up to ``MAX_POOL_SIZE``.

    Raises:
        ValueError: the URL names another driver, or an SQLite database without a file.
    """

    def __init__(self, url: str, *, pool_size: int = MAX_POOL_SIZE) -> None:
        self._url = _checked(url)
        self._is_sqlite = self._url.get_backend_name() == _SQLITE
        self._pool_size = min(max(pool_size, 1), MAX_POOL_SIZE)
        self._pools: _Pools | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self._is_sqlite

    @property
    def url(self) -> str:
        """The URL with its password replaced by stars."""
        return self._url.render_as_string(hide_password=True)

    @property
    def reader(self) -> AsyncEngine:
        """The engine that ``reading()`` uses, for whoever watches its statements.

        Raises:
            RuntimeError: the database is not open, or was opened in another event loop.
        """
        return self._opened().readers.engine

    async def __aenter__(self) -> Self:
        """Make the engine; connections are made when they are first wanted.

        Raises:
            Unavailable: the SQLite file cannot be made, or stays locked.
        """
        if self._pools is not None:
            raise RuntimeError("the database is open already")
        if self.is_sqlite:
            await asyncio.to_thread(_make_sqlite_file, Path(str(self._url.database)))
        self._pools = self._sqlite_pools() if self.is_sqlite else self._postgres_pools()
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        pools, self._pools = self._pools, None
        if pools is not None:
            await pools.writers.close()
            await pools.readers.close()

    @asynccontextmanager
    async def transaction(
        self, operation: str = "write", wait_s: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """Yield a connection whose changes are committed together at the end, or not at all on an exception.

        Not to be nested: a second transaction inside the first would wait for it until ``LOCK_WAIT_S`` has passed.

        Args:
            operation: what is done, for the message of a failure.
            wait_s: longest wait for a connection, ``POOL_WAIT_S`` unless told; for who would rather know than wait.

        Raises:
            Conflict: a uniqueness rule of the database is broken.
            Rejected: the database cannot hold a value.
            Unavailable: the database does not answer; ``outcome_unknown`` when it failed while committing.
        """
        writers, committing = self._opened().writers, False
        pool_wait_s = POOL_WAIT_S if wait_s is None else wait_s
        turn_wait_s = LOCK_WAIT_S if wait_s is None else wait_s
        try:
            async with self._own_turn(operation, turn_wait_s), writers.use(operation, pool_wait_s) as connection:
                if self.is_sqlite:
                    await run(connection, _BEGIN_WRITING, is_alone=True)
                last: list[Last] = []
                connection.info[_LAST] = last
                yield connection
                committing = True
                await commit(connection, last)
        except StatementError as error:
            raise _translated(error, operation, outcome_unknown=committing) from error

    @asynccontextmanager
    async def reading(self, operation: str = "read") -> AsyncIterator[AsyncConnection]:
        """Yield a connection to read with; what is written through it is refused (PostgreSQL) or lost (SQLite).

        Raises:
            Unavailable: the database does not answer.
        """
        try:
            async with self._opened().readers.use(operation, POOL_WAIT_S) as connection:
                yield connection
        except StatementError as error:
            raise _translated(error, operation, outcome_unknown=False) from error

    async def ask(
        self, operation: str, statement: ClauseElement, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one statement that reads and was made once.

        Raises:
            Unavailable: the database does not answer.
        """
        async with self.reading(operation) as connection:
            return await run(connection, statement, parameters, is_alone=True)

    async def run(
        self, connection: AsyncConnection, statement: ClauseElement, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement that was made once, on a connection of this database; see ``systems.platform.statements``."""
        return await run(connection, statement, parameters)

    async def run_last(
        self,
        connection: AsyncConnection,
        asked: Sequence[Asked],
        tell: Callable[[list[list[tuple[Any, ...]]]], None],
    ) -> None:
        """Run statements as the last ones of a transaction: on PostgreSQL in one go with the commit, on SQLite at once.

        Args:
            connection: that of the transaction.
            asked: statements that were made once, with their parameters.
            tell: is told the rows of each of them.
        """
        if self.is_sqlite:
            tell([await run(connection, statement, values) for statement, values in asked])
            return
        connection.info[_LAST].append((asked, tell))

    @asynccontextmanager
    async def _own_turn(self, operation: str, wait_s: float) -> AsyncIterator[None]:
        if not self.is_sqlite:
            yield
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._turn.acquire()
        except TimeoutError as error:
            waited = f"another transaction of this process holds the file for more than {wait_s:g} s"
            raise Unavailable(
                SourceSystem.PLATFORM, operation, waited, outcome_unknown=False, retry_after_s=BUSY_RETRY_S
            ) from error
        try:
            yield
        finally:
            self._turn.release()

    def _opened(self) -> _Pools:
        if self._pools is None:
            raise RuntimeError("the database is not open: use it within 'async with'")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("the database was opened in another event loop: open one database per loop")
        return self._pools

    def _sqlite_pools(self) -> _Pools:
        both = Connections(_sqlite_engine(self._url), self._pool_size)
        return _Pools(both, both)

    def _postgres_pools(self) -> _Pools:
        """Readers have connections of their own without transactions.

        Each statement sees what is committed by then either way, and a transaction costs two round trips more.
        """
        writer = self._postgres_engine()
        reader = self._postgres_engine("-c default_transaction_read_only=on", isolation_level="AUTOCOMMIT")
        return _Pools(Connections(writer, self._pool_size), Connections(reader, self._pool_size))

    def _postgres_engine(self, more: str = "", **settings: Any) -> AsyncEngine:
        options = (
            f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000:.0f} -c lock_timeout={LOCK_WAIT_S * 1000:.0f} "
            f"-c idle_in_transaction_session_timeout={STATEMENT_TIMEOUT_S * 1000:.0f} -c timezone=UTC {more}"
        )
        return create_async_engine(
            self._url,
            poolclass=NullPool,
            connect_args={"options": options, "connect_timeout": int(POOL_WAIT_S)},
            **settings,
        )


def insert_into(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update`` of the connection's kind."""
    if connection.dialect.name == _SQLITE:
        return sqlite.insert(table).values(values)
    return postgresql.insert(table).values(values)


def _checked(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername not in _DRIVERS:
        raise ValueError(f"database URL starts with {parsed.drivername!r}: use one of {', '.join(_DRIVERS)}")
    if parsed.get_backend_name() == _SQLITE and parsed.database in (None, "", ":memory:"):
        raise ValueError("database URL names no file: an SQLite database of the platform is a file that outlives it")
    return parsed


def _make_sqlite_file(path: Path) -> None:
    """Make the file with a write-ahead log, which it keeps from then on.

    SQLite does not wait its busy timeout while it changes this mode, so processes that start together try again here.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=LOCK_WAIT_S)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except (sqlite3.Error, OSError) as error:
            if time.monotonic() > deadline or not _is_locked(error):
                said = f"{path}: {error}"
                raise Unavailable(SourceSystem.PLATFORM, "open", said, outcome_unknown=False) from error
        time.sleep(WAL_PAUSE_S)


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": LOCK_WAIT_S})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """Give a new SQLite connection its settings and take transaction control away from the driver."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cache = f"cache_size = -{PAGE_CACHE_KIB}"  # below zero it counts KiB, and not pages
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "temp_store = MEMORY", cache):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin to read, unless a writer has begun already."""
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN")


def _translated(error: StatementError, operation: str, *, outcome_unknown: bool) -> ConnectorError:
    """Return what a driver's failure means, most specific first."""
    system = SourceSystem.PLATFORM
    cause = str(error.orig or error).strip()
    if isinstance(error, IntegrityError):
        return Conflict(system, operation, cause)
    if isinstance(error, DataError) or not isinstance(error, DBAPIError):
        return Rejected(system, operation, cause, reason="BAD_VALUE")
    return Unavailable(system, operation, cause, outcome_unknown=outcome_unknown)
