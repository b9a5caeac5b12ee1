"""Messages that could not be handled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select

from schema.enums import SourceSystem
from schema.records.operations import DeadLetter
from schema.records.values import Page, PageRequest
from systems.platform.database import Database, insert_into
from systems.platform.paging import read_page
from systems.platform.records import batches
from systems.platform.tables import dead_letters

__all__ = ["PlatformDeadLetterStore"]

MAX_REASON_LENGTH = 2_000
"""Characters of a reason that are kept; the message itself is kept whole."""


class PlatformDeadLetterStore:
    """:class:`systems.ports.DeadLetterStore` in the platform's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, letter: DeadLetter) -> None:
        """Keep a message, or count one more attempt of it and keep the latest reason."""
        table = dead_letters
        row = {
            "id": letter.id,
            "source": letter.source.value,
            "type": letter.type,
            "reason": letter.reason[:MAX_REASON_LENGTH],
            "attempts": letter.attempts,
            "first_seen": letter.first_seen,
            "payload": letter.payload,
        }
        async with self._database.transaction("keep dead letter") as connection:
            insert = insert_into(connection, table, row)
            await connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[table.c.id],
                    set_={"attempts": table.c.attempts + 1, "reason": insert.excluded.reason},
                )
            )

    async def search(self, source: SourceSystem | None, page: PageRequest) -> Page[DeadLetter]:
        """Return dead letters, oldest first.

        Raises:
            Rejected: the page's cursor is not one of this list.
        """
        table = dead_letters
        statement = select(table)
        if source is not None:
            statement = statement.where(table.c.source == source.value)
        async with self._database.reading("search dead letters") as connection:
            return await read_page(connection, statement, (table.c.first_seen, table.c.id), page, _letter)

    async def letters(self, ids: Sequence[str]) -> Mapping[str, DeadLetter]:
        """Return dead letters by id."""
        found: dict[str, DeadLetter] = {}
        async with self._database.reading("dead letters") as connection:
            for batch in batches(ids):
                rows = await connection.execute(select(dead_letters).where(dead_letters.c.id.in_(batch)))
                found.update({row.id: _letter(row) for row in rows})
        return found


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        source=SourceSystem(row.source),
        type=row.type,
        reason=row.reason,
        attempts=row.attempts,
        first_seen=row.first_seen,
        payload=row.payload,
    )
