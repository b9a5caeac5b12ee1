"""Messages that could not be handled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, select

from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.operations import DeadLetter
from schema.records.values import Page, PageRequest
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.order_warehouses import has_to_do_with
from systems.platform.paging import read_page
from systems.platform.records import batches
from systems.platform.tables import dead_letters

__all__ = ["PlatformDeadLetterStore"]

MAX_REASON_LENGTH = 2_000
"""Characters of a reason that are kept; the message itself is kept whole."""


MAX_EVENT_ID = 200
"""Characters of an event's id; ids of letters are made of the sender's ids, which may be longer."""


class PlatformDeadLetterStore:
    """:class:`systems.ports.DeadLetterStore` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def put(self, letter: DeadLetter) -> None:
        """Keep a message and tell of it, or count one more attempt of it and keep the latest reason."""
        table = dead_letters
        row = {
            "id": letter.id,
            "source": letter.source.value,
            "type": letter.type,
            "reason": letter.reason[:MAX_REASON_LENGTH],
            "attempts": letter.attempts,
            "first_seen": letter.first_seen,
            "payload": letter.payload,
            "order_id": letter.order_id,
        }
        async with self._database.transaction("keep dead letter") as connection:
            insert = insert_into(connection, table, row)
            await connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[table.c.id],
                    set_={"attempts": table.c.attempts + 1, "reason": insert.excluded.reason},
                )
            )
            await self._append(connection, [_told(letter)])

    async def search(
        self, source: SourceSystem | None, page: PageRequest, warehouses: Collection[str] | None = None
    ) -> Page[DeadLetter]:
        """Return dead letters, oldest first; with ``warehouses`` those of orders that one of these has to do with.

        Raises:
            Rejected: the page's cursor is not one of this list.
        """
        table = dead_letters
        statement = select(table)
        if source is not None:
            statement = statement.where(table.c.source == source.value)
        if warehouses is not None:
            statement = statement.where(has_to_do_with(table.c.order_id, warehouses))
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

    async def remove(self, letter_id: str) -> None:
        """Forget a message that was handled after all; one that is not there stays so."""
        async with self._database.transaction("remove dead letter") as connection:
            await connection.execute(delete(dead_letters).where(dead_letters.c.id == letter_id))


def _told(letter: DeadLetter) -> Event:
    """Return the event of a letter; however often it is put, it is told once."""
    return Event(
        id=f"deadlettered:{letter.id}"[:MAX_EVENT_ID],
        source="/dist/messages",
        type="message.deadlettered",
        subject=letter.id[:MAX_EVENT_ID],
        partition_key="messages",
        correlation_id=letter.id[:MAX_EVENT_ID],
        system=SourceSystem.PLATFORM,
        occurred_at=letter.first_seen,
        data={
            "deadLetterId": letter.id,
            "source": letter.source.value,
            "type": letter.type,
            "reason": letter.reason[:MAX_REASON_LENGTH],
        },
    )


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        source=SourceSystem(row.source),
        type=row.type,
        reason=row.reason,
        attempts=row.attempts,
        first_seen=row.first_seen,
        payload=row.payload,
        order_id=row.order_id,
    )
