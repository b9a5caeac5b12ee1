"""The event log in the database.

- Positions become visible in their order: appending holds a lock until the commit (an advisory lock on PostgreSQL, the
  writer's lock on SQLite), so nobody who has read position n meets n - 1 later.
- What is appended twice is there once: an event whose source and id are in the log is left out.
- A follower reads pages after its last position and sleeps in between; the bus wakes it. Memory does not grow with the
  backlog or with slow consumers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ClauseElement

from events.bus import Bus
from events.ports import CursorUnknown, HistoryOwner
from events.tables import event_log
from schema.enums import SourceSystem
from schema.events.envelope import Event, EventFilter, EventPlace, StoredEvent
from schema.records.audit import Change, is_audited

__all__ = ["SqlEventLog", "Transactions", "events_after", "last_position"]

PAGE = 200
"""Events that a follower reads at once."""

POLL_S = 2.0
"""Longest time that a follower trusts the bus; then it looks into the log by itself."""

COMMIT_WAITS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Pauses while an announced event is not visible yet, because its transaction is still committing."""

MAX_READ = 1_000
"""Most events that one read returns, and that a history has per key."""

MAX_KEYS = 5_000
"""Keys in one statement; SQLite takes 32,766 parameters and PostgreSQL 65,535."""

FEW = 4
"""So many events are written one by one, a statement each; more by five statements, however many they are."""

_LOCK_KEY = 0x6576656E74
"""PostgreSQL advisory lock of appenders ("event" as a number)."""


class Transactions(Protocol):
    """What the log wants of a database."""

    def transaction(self, operation: str = ...) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that commits at the end."""
        ...

    def reading(self, operation: str = ...) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection to read with."""
        ...

    async def run(
        self, connection: AsyncConnection, statement: ClauseElement, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement that was made once, and return its rows."""
        ...

    async def run_last(
        self,
        connection: AsyncConnection,
        asked: Sequence[tuple[ClauseElement, Mapping[str, Any]]],
        tell: Callable[[list[list[tuple[Any, ...]]]], None],
    ) -> None:
        """Run statements as the last ones of a transaction, with its commit where that is possible."""
        ...


Audit = Callable[[AsyncConnection, Sequence[Event], Change | None], Awaitable[None]]
"""Notes within a transaction who caused events, and what record they changed."""


class SqlEventLog:
    """The event log over a database and a bus; ``audit`` None notes nothing."""

    def __init__(self, database: Transactions, bus: Bus, audit: Audit | None = None) -> None:
        self._database = database
        self._bus = bus
        self._audit = audit
        self._telling: set[asyncio.Task[None]] = set()

    async def append(self, events: Sequence[Event]) -> tuple[StoredEvent, ...]:
        """Append events in one commit and wake followers; known events are left out."""
        if not events:
            return ()
        stored: list[StoredEvent] = []
        async with self._database.transaction("append events") as connection:
            await self._append(connection, events, None, stored.extend)
        if stored:
            await self._bus.tell(stored[-1].position)
        return tuple(stored)

    async def append_in(
        self, connection: AsyncConnection, events: Sequence[Event], change: Change | None = None
    ) -> None:
        """Append events within a transaction of the caller, as the last thing in it; followers see them afterwards.

        What somebody other than the platform caused is noted in the audit, with ``change`` where a record changed.
        """
        if not events:
            return
        await self._append(connection, events, change, self._tell_soon)

    def _tell_soon(self, stored: Sequence[StoredEvent]) -> None:
        if stored:
            task = asyncio.create_task(self._bus.tell(stored[-1].position))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _append(
        self,
        connection: AsyncConnection,
        events: Sequence[Event],
        change: Change | None,
        tell: Callable[[Sequence[StoredEvent]], None],
    ) -> None:
        """Append events and tell what was stored: at once, or with the commit where nothing else depends on it."""
        is_postgres = connection.dialect.name == "postgresql"
        lock = [(_LOCK, {"key": _LOCK_KEY})] if is_postgres else []
        if len(events) > FEW:
            for statement, values in lock:
                await self._database.run(connection, statement, values)
            many = await self._insert_many(connection, events)
            if self._audit is not None:
                await self._audit(connection, [entry.event for entry in many], change)
            tell(many)
            return
        now = datetime.now(UTC)
        asked = [*lock, *((_APPEND[is_postgres], _row(event, now)) for event in events)]

        def stored_of(found: list[list[tuple[Any, ...]]]) -> list[StoredEvent]:
            rows = zip(events, found[len(lock) :], strict=True)
            return [StoredEvent(event, place[0], place[1], now) for event, places in rows for place in places]

        if self._audit is None or not is_audited(events):
            await self._database.run_last(connection, asked, lambda found: tell(stored_of(found)))
            return
        stored = stored_of([await self._database.run(connection, statement, values) for statement, values in asked])
        await self._audit(connection, [entry.event for entry in stored], change)
        tell(stored)

    async def _insert_many(self, connection: AsyncConnection, events: Sequence[Event]) -> tuple[StoredEvent, ...]:
        fresh = await _without_known(connection, events)
        if not fresh:
            return ()
        sequences = await _last_sequences(connection, {event.partition_key for event in fresh})
        now = datetime.now(UTC)
        rows = []
        for event in fresh:
            sequences[event.partition_key] = sequence = sequences.get(event.partition_key, 0) + 1
            rows.append({**_row(event, now), "sequence": sequence})
        positions = await _write(connection, rows)
        return tuple(
            StoredEvent(event, position, row["sequence"], now)
            for event, position, row in zip(fresh, positions, rows, strict=True)
        )

    async def read(self, where: EventFilter, after: str | None, limit: int) -> tuple[StoredEvent, ...]:
        """Return matching events after a cursor in log order.

        Raises:
            CursorUnknown: ``after`` is not in the log.
        """
        async with self._database.reading("read events") as connection:
            position = 0 if after is None else await _position_of(connection, after)
            return await events_after(connection, where, position, min(limit, MAX_READ))

    async def read_on(self, where: EventFilter, position: int, limit: int) -> tuple[StoredEvent, ...]:
        """Return matching events behind a position in log order; whoever keeps the position misses none."""
        async with self._database.reading("read events on") as connection:
            return await events_after(connection, where, position, min(limit, MAX_READ))

    async def histories(
        self, owner: HistoryOwner, keys: Sequence[str], where: EventFilter, after: EventPlace | None, limit: int
    ) -> Mapping[str, tuple[StoredEvent, ...]]:
        """Return the matching events of each story or account behind a place, in the order of their places."""
        found: dict[str, list[StoredEvent]] = {key: [] for key in keys}
        async with self._database.reading("read histories") as connection:
            for batch in _batches(keys):
                statement = _histories(owner, batch, where, after, min(limit, MAX_READ))
                for row in (await connection.execute(statement)).mappings():
                    found[row[owner]].append(_stored(row))
        return {key: tuple(events) for key, events in found.items()}

    async def last_recorded(self) -> Mapping[SourceSystem, datetime]:
        """Return when the latest event of each system entered the log; systems without events are absent."""
        columns = event_log.c
        latest = [
            select(func.max(columns.position)).where(columns.system == system.value).scalar_subquery()
            for system in SourceSystem
        ]
        statement = select(columns.system, columns.recorded_at).where(columns.position.in_(latest))
        async with self._database.reading("read last events") as connection:
            rows = (await connection.execute(statement)).all()
        return {SourceSystem(row.system): row.recorded_at for row in rows}

    async def follow(self, where: EventFilter, after: str | None) -> AsyncGenerator[StoredEvent, None]:
        """Yield the backlog after a cursor, then live events, each once, in log order.

        Raises:
            CursorUnknown: on the first step, when ``after`` is not in the log.
        """
        async with self._bus.listen() as listener:
            async with self._database.reading("find cursor") as connection:
                position = await last_position(connection) if after is None else await _position_of(connection, after)
            announced = 0
            while True:
                page, seen = await self._next(where, position, announced)
                for stored in page:
                    yield stored
                    position = stored.position
                position = max(position, seen) if len(page) < PAGE else position
                if len(page) < PAGE:
                    announced = await listener.wait(POLL_S) or 0

    async def _next(self, where: EventFilter, position: int, announced: int) -> tuple[tuple[StoredEvent, ...], int]:
        """Return the next page and the last position of the log, waiting a moment for one that was announced."""
        for pause in (*COMMIT_WAITS_S, None):
            async with self._database.reading("follow events") as connection:
                last = await last_position(connection)
                page = await events_after(connection, where, position, PAGE)
            if last >= announced or pause is None:
                # Both reads may see different moments on PostgreSQL: trust the earlier one, it only costs a re-read.
                return page, min(last, page[-1].position if len(page) == PAGE else last)
            await asyncio.sleep(pause)
        raise AssertionError("the last pause is None")

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` of the oldest events recorded before a time; return how many."""
        async with self._database.transaction("prune events") as connection:
            oldest = (
                select(event_log.c.position)
                .where(event_log.c.recorded_at < before)
                .order_by(event_log.c.position)
                .limit(limit)
            )
            positions = (await connection.execute(oldest)).scalars().all()
            if positions:
                await connection.execute(delete(event_log).where(event_log.c.position.in_(positions)))
            return len(positions)


async def _write(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows and return their positions in order.

    Many rows are written at once; nobody else appends meanwhile, so what lies behind the last position is theirs.
    """
    position = event_log.c.position
    if len(rows) == 1:
        return list((await connection.execute(insert(event_log).returning(position), rows)).scalars())
    last = await last_position(connection)
    await connection.execute(insert(event_log), rows)
    written = select(position).where(position > last).order_by(position)
    return list((await connection.execute(written)).scalars())


async def _without_known(connection: AsyncConnection, events: Sequence[Event]) -> list[Event]:
    distinct = {(event.source, event.id): event for event in reversed(events)}
    wanted = [distinct[key] for key in dict.fromkeys((event.source, event.id) for event in events)]
    keys = tuple_(event_log.c.source, event_log.c.id)
    found = await connection.execute(
        select(event_log.c.source, event_log.c.id).where(keys.in_([(event.source, event.id) for event in wanted]))
    )
    known = {(row.source, row.id) for row in found}
    return [event for event in wanted if (event.source, event.id) not in known]


async def _last_sequences(connection: AsyncConnection, partitions: set[str]) -> dict[str, int]:
    found = await connection.execute(
        select(event_log.c.partition_key, func.max(event_log.c.sequence).label("last"))
        .where(event_log.c.partition_key.in_(sorted(partitions)))
        .group_by(event_log.c.partition_key)
    )
    return {row.partition_key: int(row.last) for row in found}


async def _position_of(connection: AsyncConnection, cursor: str) -> int:
    found = await connection.execute(select(func.max(event_log.c.position)).where(event_log.c.id == cursor))
    position = found.scalar_one()
    if position is None:
        raise CursorUnknown(cursor)
    return int(position)


async def last_position(connection: AsyncConnection) -> int:
    """Return the position of the latest event, 0 when there is none."""
    return int((await connection.execute(_LAST)).scalar_one() or 0)


async def events_after(
    connection: AsyncConnection, where: EventFilter, position: int, limit: int
) -> tuple[StoredEvent, ...]:
    """Return at most ``limit`` matching events behind a position, in log order."""
    statement = _filtered(select(event_log).where(event_log.c.position > position), where)
    found = await connection.execute(statement.order_by(event_log.c.position).limit(limit))
    return tuple(_stored(row) for row in found.mappings())


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    unique = list(dict.fromkeys(keys))
    for start in range(0, len(unique), MAX_KEYS):
        yield unique[start : start + MAX_KEYS]


def _histories(
    owner: HistoryOwner, keys: Sequence[str], where: EventFilter, after: EventPlace | None, limit: int
) -> Select[Any]:
    column = event_log.c[owner]
    order = (event_log.c.occurred_at, event_log.c.sequence, event_log.c.position)
    place = func.row_number().over(partition_by=column, order_by=order).label("place")
    chosen = _filtered(select(event_log, place).where(column.in_(keys)), where)
    if after is not None:
        chosen = chosen.where(_behind(after))
    ranked = chosen.subquery()
    return select(ranked).where(ranked.c.place <= limit).order_by(ranked.c[owner], ranked.c.place)


def _behind(place: EventPlace) -> ColumnElement[bool]:
    at, sequence, position = event_log.c.occurred_at, event_log.c.sequence, event_log.c.position
    return or_(
        at > place.at,
        and_(at == place.at, sequence > place.sequence),
        and_(at == place.at, sequence == place.sequence, position > place.position),
    )


def _filtered(statement: Select[Any], where: EventFilter) -> Select[Any]:
    columns = event_log.c
    if where.types is not None:
        exact = [name for name in where.types if not name.endswith(".*")]
        prefixes = [name[:-1] for name in where.types if name.endswith(".*")]
        statement = statement.where(
            or_(columns.type.in_(exact), *(columns.type.startswith(prefix, autoescape=True) for prefix in prefixes))
        )
    if where.subject is not None:
        statement = statement.where(columns.subject == where.subject)
    if where.partition_key is not None:
        statement = statement.where(columns.partition_key == where.partition_key)
    if where.correlation_ids is not None:
        statement = statement.where(columns.correlation_id.in_(where.correlation_ids))
    if where.account_id is not None:
        statement = statement.where(columns.account_id == where.account_id)
    return statement


def _append(insert_into: Callable[[Table], Any]) -> Any:
    """Return the statement that appends one event unless it is known, numbered behind its partition's last.

    Appenders take turns (PostgreSQL by the lock, SQLite by its own), so that the next number is nobody else's.
    """
    columns, earlier = event_log.c, event_log.alias("earlier")
    highest = select(func.max(earlier.c.sequence)).where(earlier.c.partition_key == bindparam("partition_key"))
    values: dict[str, Any] = {
        column.name: bindparam(column.name, type_=column.type) for column in columns if not column.primary_key
    }
    values["sequence"] = func.coalesce(highest.scalar_subquery(), 0) + 1
    statement = insert_into(event_log).values(values)
    unless_known = statement.on_conflict_do_nothing(index_elements=[columns.source, columns.id])
    return unless_known.returning(columns.position, columns.sequence)


# Statements of every day are made once: SQLAlchemy takes longer to make and recognise one than to run it.
_APPEND = {True: _append(postgresql.insert), False: _append(sqlite.insert)}
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_LAST = select(func.max(event_log.c.position))


def _row(event: Event, now: datetime) -> dict[str, Any]:
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "partition_key": event.partition_key,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "account_id": event.account_id,
        "actor": event.actor,
        "manual": event.manual,
        "system": event.system.value,
        "occurred_at": event.occurred_at,
        "recorded_at": now,
        "data": dict(event.data),
    }


def _stored(row: RowMapping) -> StoredEvent:
    event = Event(
        id=row["id"],
        source=row["source"],
        type=row["type"],
        subject=row["subject"],
        partition_key=row["partition_key"],
        correlation_id=row["correlation_id"],
        system=SourceSystem(row["system"]),
        occurred_at=row["occurred_at"],
        data=row["data"],
        account_id=row["account_id"],
        causation_id=row["causation_id"],
        actor=row["actor"],
        manual=row["manual"],
    )
    return StoredEvent(event, row["position"], row["sequence"], row["recorded_at"])
