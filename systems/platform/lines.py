"""Who waits in line for a system that does not answer; the table is empty while all of them do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from schema.enums import ProcessState, SourceSystem
from systems.platform.database import Database, insert_into
from systems.platform.tables import line_places, processes
from systems.ports import Line, Place

__all__ = ["PlatformWaitingLines"]

_DOES_NOT_GO_ON = tuple(
    state.value
    for state in (ProcessState.COMPLETED, ProcessState.FAILED, ProcessState.CANCELLED, ProcessState.WAITING_HUMAN)
)
"""States of a process that holds nobody up, should it have died before it gave its place up."""


class PlatformWaitingLines:
    """:class:`systems.ports.WaitingLines` in the platform's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, place: Place) -> Place:
        """Take a place, giving up one in another line; who has one in this line keeps that, and it is returned."""
        table = line_places
        async with self._database.transaction("join line") as connection:
            mine = table.c.process_id == place.process_id
            before = (await connection.execute(select(table).where(mine))).first()
            if before is not None and _place(before).line == place.line:
                await connection.execute(update(table).where(mine).values(step=place.step))
                return _place(before)
            row = {
                "process_id": place.process_id,
                "system": place.line.system.value,
                "account_id": place.line.account_id,
                "step": place.step,
                "order_id": place.order_id,
                "since": place.since,
                "joined_at": place.joined_at,
                "aside": place.aside,
            }
            insert = insert_into(connection, table, row)
            renewed = {name: insert.excluded[name] for name in row if name != "process_id"}
            await connection.execute(insert.on_conflict_do_update(index_elements=[table.c.process_id], set_=renewed))
        return place

    async def leave(self, process_id: str) -> None:
        """Give up the place of a process; one that has none stays so."""
        async with self._database.transaction("leave line") as connection:
            await connection.execute(delete(line_places).where(line_places.c.process_id == process_id))

    async def stand_aside(self, process_id: str) -> None:
        """Let a place hold nobody up any more."""
        async with self._database.transaction("stand aside") as connection:
            statement = update(line_places).where(line_places.c.process_id == process_id)
            await connection.execute(statement.values(aside=True))

    async def first(self, joined_after: datetime, line: Line | None = None) -> Mapping[Line, Place]:
        """Return the first place of every line, or of one, among those that hold others up.

        A process that has ended, or waits for a person, holds nobody up.
        """
        table = line_places
        rank = func.row_number().over(
            partition_by=(table.c.system, table.c.account_id), order_by=(table.c.since, table.c.process_id)
        )
        standing = (
            select(table, rank.label("rank"))
            .join(processes, processes.c.id == table.c.process_id)
            .where(table.c.aside.is_(False), table.c.joined_at > joined_after)
            .where(processes.c.state.not_in(_DOES_NOT_GO_ON))
        )
        if line is not None:
            standing = standing.where(table.c.system == line.system.value, table.c.account_id == line.account_id)
        ranked = standing.subquery()
        async with self._database.reading("first in line") as connection:
            rows = (await connection.execute(select(ranked).where(ranked.c.rank == 1))).all()
        return {place.line: place for place in map(_place, rows)}

    async def places(
        self, system: SourceSystem, steps: Sequence[str], after: str | None, limit: int
    ) -> tuple[Place, ...]:
        """Return places before a system at one of these steps, by process id, from behind ``after`` on."""
        table = line_places
        chosen = select(table).where(table.c.system == system.value, table.c.step.in_(steps))
        if after is not None:
            chosen = chosen.where(table.c.process_id > after)
        async with self._database.reading("places in line") as connection:
            rows = (await connection.execute(chosen.order_by(table.c.process_id).limit(limit))).all()
        return tuple(map(_place, rows))


def _place(row: Row[Any]) -> Place:
    return Place(
        process_id=row.process_id,
        line=Line(SourceSystem(row.system), row.account_id),
        step=row.step,
        order_id=row.order_id,
        since=row.since,
        joined_at=row.joined_at,
        aside=row.aside,
    )
