"""The ERP's journal of what was written there, which is polled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from schema.records.entries import UnreadableEntry
from systems.bulk import BAD_SHAPE
from systems.legacy_erp.fields import Record, read_count, read_text
from systems.legacy_erp.programs import Programs

__all__ = ["LoggedRecords"]

MAX_ENTRIES = 200
"""Entries of the journal that are read at once."""


async def _entries_after(programs: Programs, operation: str, kind: str, after: int, limit: int) -> dict[str, int]:
    """Return the numbers of the journal's next entries of one kind by what they name, the earliest first.

    Raises:
        ConnectorError: what the client raises.
    """
    question = {"AFTER": after, "OBJCD": kind, "LIMIT": min(limit, MAX_ENTRIES)}
    return dict(await programs.records(operation, "DELTA", question, _entry))


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoggedRecords(Generic[T]):
    """Records of one kind in the order in which the journal names them.

    Attributes:
        what: such a record in words.
        kind: of the journal's entries.
        program: returns the records.
        field: by which it is asked for them.
        key: returns how the journal names a record.
        read: returns what an entry's record says.
    """

    what: str
    kind: str
    program: str
    field: str
    key: Callable[[Record], str]
    read: Callable[[int, Record], T]

    async def after(
        self, programs: Programs, operation: str, entry: int, limit: int
    ) -> tuple[T | UnreadableEntry, ...]:
        """Return at most ``limit`` of them after this entry of the journal, the earliest first.

        For one whose record is missing or cannot be read stands the reason.

        Raises:
            ConnectorError: what the client raises.
        """
        numbers = await _entries_after(programs, operation, self.kind, entry, limit)
        found = dict(await programs.by_keys(operation, self.program, (self.field, numbers), self._keyed))
        return tuple(self._logged(number, key, found.get(key)) for key, number in numbers.items())

    def _keyed(self, record: Record) -> tuple[str, Record]:
        try:
            return self.key(record), record
        except BAD_SHAPE:
            return "", record  # it is missed under the name that the journal has

    def _logged(self, entry: int, key: str, record: Record | None) -> T | UnreadableEntry:
        if record is None:
            return UnreadableEntry(entry, f"the journal names {self.what} {key}, which is not there", {"KEY": key})
        try:
            return self.read(entry, record)
        except BAD_SHAPE as error:
            return UnreadableEntry(entry, f"{type(error).__name__} {error}", record)


def _entry(record: Record) -> tuple[str, int]:
    return read_text(record, "KEY"), read_count(record, "SEQNO")
