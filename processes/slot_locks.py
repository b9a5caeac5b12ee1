"""Locks of slots: advisory ones of PostgreSQL on a connection of their own, files beside an SQLite database.

Both end with the program, by whatever it dies: the database lets go of what a closed connection held, the kernel of
what a process held.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

from processes.slots import MAX_SLOTS, SlotLocks
from schema.enums import SourceSystem
from systems.errors import Unavailable

__all__ = ["DEAD_PEER_S", "FileSlotLocks", "PostgresSlotLocks", "slot_locks"]

_LOCK_CLASS = 0x736C6F74
"""First half of the advisory locks' keys ("slot" as a number); the second half is the slot."""

CONNECT_S = 5
"""Longest wait for a connection."""

DEAD_PEER_S = 11
"""The database lets go of a machine that does not answer any more after this long."""

_KEEPALIVES = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=2"
"""Asks after 5 s of silence, twice 3 s apart; over a local socket it has no meaning and does no harm."""

_TAKEN = """
    SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s AND
    database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def slot_locks(database_url: str) -> SlotLocks:
    """Return the locks of a platform database; nothing is opened before the first is taken."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return FileSlotLocks(Path(str(url.database)))
    return PostgresSlotLocks(url)


class PostgresSlotLocks:
    """:class:`processes.slots.SlotLocks` by session-level advisory locks.

    Args:
        url: the database; a pooler in between must keep one session per connection.
    """

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._held: set[int] = set()
        """Slots that the present connection holds."""

    async def take(self, number: int) -> bool:
        """Take a slot; False when another program has it.

        Raises:
            Unavailable: the database does not answer.
        """
        rows = await self._ask("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, number))
        if rows[0][0]:
            self._held.add(number)
        return number in self._held

    async def give_up(self, number: int) -> None:
        """Let another program have the slot; a connection that is gone has done so already."""
        if number in self._held:
            self._held.discard(number)
            await self._ask("SELECT pg_advisory_unlock(%s, %s)", (_LOCK_CLASS, number))

    async def taken(self) -> frozenset[int]:
        """Return the slots that programs hold, this one among them.

        Raises:
            Unavailable: the database does not answer.
        """
        return frozenset(int(row[0]) for row in await self._ask(_TAKEN, (_LOCK_CLASS,)))

    async def confirm(self, number: int) -> bool:
        """Return whether the slot is still ours: while its connection lives it is, after that it is taken anew."""
        try:
            if number not in self._held:
                return await self.take(number)
            await self._ask("SELECT 1")
            return True
        except Unavailable:
            return False

    async def close(self) -> None:
        """Give up everything and close the connection; the server takes note of a mere close a moment later."""
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is None:
            return
        with suppress(psycopg.Error, OSError):
            await connection.execute(b"SELECT pg_advisory_unlock_all()")
        await connection.close()

    async def _ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_S, options=_KEEPALIVES
                )
            found = await self._connection.execute(statement.encode(), parameters)
            return await found.fetchall()
        except (psycopg.Error, OSError) as error:
            await self.close()
            said = str(error).strip()
            raise Unavailable(SourceSystem.PLATFORM, "worker slot", said, outcome_unknown=False) from error


class FileSlotLocks:
    """:class:`processes.slots.SlotLocks` by locked files beside an SQLite file.

    Args:
        database: the SQLite file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[int, int] = {}

    async def take(self, number: int) -> bool:
        """Take a slot; False when another program has it.

        Raises:
            Unavailable: the lock file cannot be made.
        """
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(SourceSystem.PLATFORM, "worker slot", str(error), outcome_unknown=False) from error
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        self._held[number] = descriptor
        return True

    async def give_up(self, number: int) -> None:
        """Let another program have the slot."""
        descriptor = self._held.pop(number, None)
        if descriptor is not None:
            os.close(descriptor)

    async def taken(self) -> frozenset[int]:
        """Return the slots that programs hold, this one among them."""
        return frozenset(number for number in range(MAX_SLOTS) if number in self._held or self._is_locked(number))

    async def confirm(self, number: int) -> bool:
        """Return whether the slot is ours: the kernel takes no lock away."""
        return number in self._held

    async def close(self) -> None:
        """Give up everything."""
        for number in tuple(self._held):
            await self.give_up(number)

    def _is_locked(self, number: int) -> bool:
        try:
            descriptor = os.open(self._path(number), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, number: int) -> Path:
        return self._database.with_name(f"{self._database.stem}-slot-{number}.lock")


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
