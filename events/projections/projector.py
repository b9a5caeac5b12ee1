"""The facts in the database: folded page by page behind a cursor, read by days, and made anew whenever that is wanted.

1. One transaction takes a page of events, folds it into the facts that it names, and moves the cursor, so an event is
   counted once whoever dies when. Programs that project at once take turns at the cursor's row.
2. A cursor of another version than ``VERSION`` counts for nothing: the facts are dropped and folded from the start.
3. Reading goes in pages too; memory grows with neither the log nor the facts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from events.log import Transactions, events_after, last_position
from events.projections.facts import Fact, FactKind, Key, days_of, read_fact, write_fact
from events.projections.fold import apply, keys_of
from events.tables import projected_facts as table
from events.tables import projection_cursors as cursors
from schema.events.envelope import EventFilter

__all__ = ["FactProjection"]

VERSION = "facts:2"
"""Name of the cursor; count it up when folding changes, so that every database folds its log again."""

PAGE = 200
"""Events folded in one commit: few enough that writers hardly wait, many enough that it costs little per event."""

READ_PAGE = 500
"""Facts read at once."""


class FactProjection:
    """Keeps facts in step with the event log.

    Args:
        database: where the log and the facts are.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    async def advance(self) -> int:
        """Fold the next page of events and return how many there were.

        Cancel/retry: safe to repeat; a page counts when its commit does.
        """
        async with self._database.reading("look for events") as connection:
            known = await _position(connection)
            if known is not None and await last_position(connection) <= known:
                return 0
        async with self._database.transaction("project events") as connection:
            position = await _claimed(connection)
            page = await events_after(connection, EventFilter(), position, PAGE)
            if not page:
                return 0
            keys = list(dict.fromkeys(key for stored in page for key in keys_of(stored)))
            facts = await _load(connection, keys)
            before = dict(facts)
            for stored in page:
                apply(facts, stored)
            await _store(connection, facts, before)
            moved = update(cursors).where(cursors.c.name == VERSION).values(position=page[-1].position)
            await connection.execute(moved)
            return len(page)

    async def catch_up(self) -> None:
        """Fold everything that is in the log."""
        while await self.advance():
            pass

    async def rebuild(self) -> None:
        """Forget the facts; the next :meth:`advance` begins at the start of the log."""
        async with self._database.transaction("forget facts") as connection:
            await connection.execute(delete(cursors))

    async def facts(self, kinds: Iterable[FactKind], begin: date, end: date) -> AsyncIterator[Fact]:
        """Yield facts of these kinds that may say something about the days from ``begin`` to ``end``."""
        for kind in kinds:
            after = ""
            while True:
                page = await self._page(kind, begin, end, after)
                for identifier, document in page:
                    yield read_fact(kind, document)
                    after = identifier
                if len(page) < READ_PAGE:
                    break

    async def _page(self, kind: FactKind, begin: date, end: date, after: str) -> Sequence[tuple[str, Any]]:
        wanted = (
            select(table.c.id, table.c.record)
            .where(table.c.kind == kind.value, table.c.id > after)
            .where(table.c.first_day <= end, table.c.last_day >= begin)
            .order_by(table.c.id)
            .limit(READ_PAGE)
        )
        async with self._database.reading("facts") as connection:
            return [(row.id, row.record) for row in await connection.execute(wanted)]


async def _position(connection: AsyncConnection) -> int | None:
    found = await connection.execute(select(cursors.c.position).where(cursors.c.name == VERSION))
    return found.scalar_one_or_none()


async def _claimed(connection: AsyncConnection) -> int:
    """Return the position of the cursor, locked; without a cursor the facts of another one are dropped."""
    locking = select(cursors.c.position).where(cursors.c.name == VERSION).with_for_update()
    position = (await connection.execute(locking)).scalar_one_or_none()
    if position is not None:
        return int(position)
    await connection.execute(delete(cursors))
    await connection.execute(delete(table))
    await connection.execute(insert(cursors).values(name=VERSION, position=0))
    return 0


async def _load(connection: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Fact]:
    wanted = tuple_(table.c.kind, table.c.id).in_([(kind.value, identifier) for kind, identifier in keys])
    rows = await connection.execute(select(table.c.kind, table.c.id, table.c.record).where(wanted))
    return {
        (kind, identifier): read_fact(kind, document)
        for kind, identifier, document in ((FactKind(row.kind), row.id, row.record) for row in rows)
    }


async def _store(connection: AsyncConnection, facts: Mapping[Key, Fact], before: Mapping[Key, Fact]) -> None:
    fresh = [_row(key, fact) for key, fact in facts.items() if key not in before]
    changed = [_row(key, fact, "new_") for key, fact in facts.items() if key in before and fact != before[key]]
    if fresh:
        await connection.execute(insert(table), fresh)
    if changed:
        here = and_(table.c.kind == bindparam("new_kind"), table.c.id == bindparam("new_id"))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("first_day", "last_day", "record")}
        await connection.execute(update(table).where(here).values(values), changed)


def _row(key: Key, fact: Fact, prefix: str = "") -> dict[str, Any]:
    first, last = days_of(fact)
    kind, identifier = key
    row = {
        "kind": kind.value,
        "id": identifier,
        "first_day": first,
        "last_day": last,
        "record": write_fact(kind, fact),
    }
    return {f"{prefix}{name}": value for name, value in row.items()}
