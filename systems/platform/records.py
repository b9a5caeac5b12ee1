"""What every store does alike: split long id lists, read documents, and group rows by whom they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, Select, Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.events.envelope import Event
from schema.records.audit import Change, is_audited
from systems.platform.codec import decode, encode
from systems.platform.database import Database

__all__ = ["MAX_IDS_PER_STATEMENT", "batches", "change_by", "grouped", "read_records", "records_by"]

R = TypeVar("R")

MAX_IDS_PER_STATEMENT = 5_000
"""Ids in one ``IN``; SQLite takes 32,766 parameters and PostgreSQL 65,535 in a statement."""


def batches(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield the ids without repetition in pieces that fit a statement."""
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), MAX_IDS_PER_STATEMENT):
        yield unique[start : start + MAX_IDS_PER_STATEMENT]


async def records_by(
    connection: AsyncConnection, table: Table, key: Column[Any], ids: Sequence[str], record: type[R]
) -> dict[str, R]:
    """Return the records whose ``key`` column is one of the ids, one statement per ``MAX_IDS_PER_STATEMENT`` ids."""
    found: dict[str, R] = {}
    for batch in batches(ids):
        rows = await connection.execute(_records_by(table, key), {"ids": batch})
        found.update({row[0]: decode(record, row[1]) for row in rows})
    return found


async def read_records(
    database: Database, operation: str, key: Column[Any], ids: Sequence[str], record: type[R]
) -> dict[str, R]:
    """Return the records whose ``key`` column is one of the ids; one id, as processes ask, takes the short way."""
    if len(ids) == 1:
        rows = await database.ask(operation, _record_by(key), {"wanted": ids[0]})
        return {row[0]: decode(record, row[1]) for row in rows}
    async with database.reading(operation) as connection:
        return await records_by(connection, key.table, key, ids, record)


@cache
def _record_by(key: Column[Any]) -> Select[Any]:
    return select(key, key.table.c.record).where(key == bindparam("wanted"))


@cache
def _records_by(table: Table, key: Column[Any]) -> Select[Any]:
    """Return the statement, made once per column: to make it takes longer than to run it."""
    return select(key, table.c.record).where(key.in_(bindparam("ids", expanding=True)))


async def grouped(
    connection: AsyncConnection, statement: Select[Any], ids: Sequence[str], record: type[R]
) -> Mapping[str, tuple[R, ...]]:
    """Return the records of a (owner, record) statement per owner in the statement's order; every id has an entry."""
    groups: dict[str, list[R]] = {owner: [] for owner in ids}
    for owner, document in await connection.execute(statement):
        groups[owner].append(decode(record, document))
    return {owner: tuple(entries) for owner, entries in groups.items()}


async def change_by(
    connection: AsyncConnection, events: Sequence[Event], table: Table, identifier: str, written: object
) -> Change | None:
    """Return what a record is about to become, for the audit; None when nobody but the platform acts."""
    if not is_audited(events):
        return None
    stored = await connection.execute(select(table.c.record).where(table.c.id == identifier))
    return Change(stored.scalar_one_or_none(), encode(written))
