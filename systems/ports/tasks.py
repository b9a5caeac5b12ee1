"""What waits for people: exception tasks and dead letters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.operations import DeadLetter, ExceptionTask
from schema.records.values import Page, PageRequest


class TaskQueue(Protocol):
    """Exception tasks. System of record: platform."""

    async def open_task(self, task: ExceptionTask, events: Sequence[Event] = ()) -> ExceptionTask:
        """Open a task, or return the one with the same id opened before."""
        ...

    async def tasks(self, ids: Sequence[str]) -> Mapping[str, ExceptionTask]:
        """Return tasks by id."""
        ...

    async def search_tasks(
        self,
        queue: str | None,
        state: str | None,
        page: PageRequest,
        warehouses: Collection[str] | None = None,
        accounts: Collection[str] | None = None,
    ) -> Page[ExceptionTask]:
        """Return tasks, earliest due first.

        Args:
            queue: the queue that they wait in, None for all.
            state: the state that they are in, None for all.
            page: which of them.
            warehouses: those that are a matter of one of these, None for all.
            accounts: those that are about one of these or about no account, None for all.
        """
        ...

    async def tasks_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[ExceptionTask, ...]]:
        """Return the tasks of each order, by id; an order without tasks maps to ()."""
        ...

    async def change_task(
        self, before: ExceptionTask, after: ExceptionTask, at: datetime, events: Sequence[Event] = ()
    ) -> bool:
        """Write a task and its events when it still is as it was read; False when somebody has changed it."""
        ...


class DeadLetterStore(Protocol):
    """Messages that could not be handled."""

    async def put(self, letter: DeadLetter) -> None:
        """Keep a message, or count one more attempt of it."""
        ...

    async def search(
        self, source: SourceSystem | None, page: PageRequest, warehouses: Collection[str] | None = None
    ) -> Page[DeadLetter]:
        """Return dead letters, oldest first; with ``warehouses`` those of orders that one of these has to do with."""
        ...

    async def letters(self, ids: Sequence[str]) -> Mapping[str, DeadLetter]:
        """Return dead letters by id."""
        ...

    async def remove(self, letter_id: str) -> None:
        """Forget a message that was handled after all; one that is not there stays so."""
        ...
