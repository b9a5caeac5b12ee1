"""The inbox: what other systems send us, kept raw before anything is made of it.

A message is stored once per (source, message id), answered at once, and handled afterwards in the order of arrival.
What cannot be handled is kept as a dead letter, whole, and never blocks what comes after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from events.log import Transactions
from events.tables import inbox
from schema.enums import SourceSystem
from schema.records.operations import DeadLetter

__all__ = ["Inbox", "InboxMessage", "UnknownMessage"]

MAX_ATTEMPTS = 5
"""Times that a message is handled before it becomes a dead letter."""


class UnknownMessage(Exception):
    """Nobody knows what to make of a message of this type; trying again would not help."""


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message as it came in; ``message_id`` is the sender's, ``received_at`` None until it is in the inbox."""

    source: SourceSystem
    message_id: str
    type: str
    payload: Any
    received_at: datetime | None = None
    replayed: bool = False
    """Whether an operator has it handled again after it could not be."""


def _accept(into: postgresql.Insert | sqlite.Insert) -> Any:
    """Return the statement that stores a message unless it is there; of two at the same moment one is stored."""
    return into.on_conflict_do_nothing(index_elements=[inbox.c.source, inbox.c.message_id]).returning(inbox.c.number)


_ACCEPT = {True: _accept(postgresql.insert(inbox)), False: _accept(sqlite.insert(inbox))}
"""By whether the database is PostgreSQL."""

Handler = Callable[[InboxMessage], Awaitable[None]]
Bury = Callable[[DeadLetter], Awaitable[None]]
Unbury = Callable[[str], Awaitable[None]]


class Inbox:
    """Messages of all sources. One worker handles them at a time.

    Args:
        database: where messages are stored.
        bury: keeps what could not be handled as a dead letter.
        unbury: forgets the dead letter of a message that was handled after all.
    """

    def __init__(self, database: Transactions, bury: Bury, unbury: Unbury) -> None:
        self._database = database
        self._bury = bury
        self._unbury = unbury

    async def accept(self, message: InboxMessage) -> bool:
        """Store a message; return False when it was stored before.

        Cancel/retry: safe to repeat.
        """
        async with self._database.transaction("accept message") as connection:
            values = {
                "source": message.source.value,
                "message_id": message.message_id,
                "type": message.type,
                "payload": message.payload,
                "state": "NEW",
                "attempts": 0,
                "received_at": datetime.now(UTC),
            }
            stored = await connection.execute(_ACCEPT[connection.dialect.name == "postgresql"], values)
            return stored.first() is not None

    async def reopen(self, letter: DeadLetter) -> None:
        """Have the message of a dead letter handled again, under its id and as of when it came.

        Cancel/retry: safe to repeat; one that waits to be handled already goes on waiting.
        """
        message_id = letter.id.removeprefix(_letter_id(letter.source, ""))
        mine = (inbox.c.source == letter.source.value, inbox.c.message_id == message_id)
        async with self._database.transaction("reopen message") as connection:
            known = (await connection.execute(select(inbox.c.state).where(*mine))).first()
            if known is None:
                await connection.execute(
                    insert(inbox).values(
                        source=letter.source.value,
                        message_id=message_id,
                        type=letter.type,
                        payload=letter.payload,
                        state="NEW",
                        attempts=0,
                        received_at=letter.first_seen,
                        replayed=True,
                    )
                )
            elif known.state != "NEW":
                again = update(inbox).where(*mine).values(state="NEW", attempts=0, replayed=True)
                await connection.execute(again)

    async def handle_next(self, handler: Handler) -> bool:
        """Give the oldest open message to the handler; return False when there is none.

        The handler must be safe to repeat: when the worker ends before it takes note, the message comes again.
        """
        async with self._database.reading("next message") as connection:
            found = await connection.execute(
                select(inbox).where(inbox.c.state == "NEW").order_by(inbox.c.number).limit(1)
            )
            row = found.mappings().first()
        if row is None:
            return False
        source, received_at = SourceSystem(row["source"]), row["received_at"]
        message = InboxMessage(
            source, row["message_id"], row["type"], row["payload"], received_at, replayed=row["replayed"]
        )
        attempts = row["attempts"] + 1
        try:
            await handler(message)
        except UnknownMessage as error:
            await self._end(row["number"], message, attempts, row["received_at"], str(error))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises must not stop the messages behind
            if attempts >= MAX_ATTEMPTS:
                await self._end(
                    row["number"], message, attempts, row["received_at"], f"{type(error).__name__}: {error}"
                )
            else:
                await self._note(row["number"], "NEW", attempts, f"{type(error).__name__}: {error}")
        else:
            if message.replayed:
                await self._unbury(_letter_id(message.source, message.message_id))
            await self._note(row["number"], "DONE", attempts, None)
        return True

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` of the oldest handled messages received before a time; return how many.

        One that its sender repeats later is handled again, which changes nothing.
        """
        async with self._database.transaction("forget messages") as connection:
            oldest = (
                select(inbox.c.number)
                .where(inbox.c.state == "DONE", inbox.c.received_at < before)
                .order_by(inbox.c.number)
                .limit(limit)
            )
            numbers = (await connection.execute(oldest)).scalars().all()
            if numbers:
                await connection.execute(delete(inbox).where(inbox.c.number.in_(numbers)))
            return len(numbers)

    async def _end(self, number: int, message: InboxMessage, attempts: int, received_at: datetime, reason: str) -> None:
        await self._bury(
            DeadLetter(
                id=_letter_id(message.source, message.message_id),
                source=message.source,
                type=message.type,
                reason=reason,
                attempts=attempts,
                first_seen=received_at,
                payload=message.payload,
            )
        )
        await self._note(number, "DEAD", attempts, reason)

    async def _note(self, number: int, state: str, attempts: int, error: str | None) -> None:
        async with self._database.transaction("note message") as connection:
            await connection.execute(
                update(inbox).where(inbox.c.number == number).values(state=state, attempts=attempts, last_error=error)
            )


def _letter_id(source: SourceSystem, message_id: str) -> str:
    return f"dl_{source.value}_{message_id}"
