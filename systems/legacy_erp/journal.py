"""The ERP's journal of what was written there, which is polled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from schema.enums import SourceSystem
from systems.errors import Unexpected
from systems.legacy_erp.fields import Record, read_count, read_text
from systems.legacy_erp.programs import Programs

__all__ = ["entries_after", "read_after"]

MAX_ENTRIES = 200
"""Entries of the journal that are read at once."""

T = TypeVar("T")


async def entries_after(programs: Programs, operation: str, kind: str, after: int, limit: int) -> dict[str, int]:
    """Return the numbers of the journal's next entries of one kind by what they name, the earliest first.

    Raises:
        ConnectorError: what the client raises.
    """
    question = {"AFTER": after, "OBJCD": kind, "LIMIT": min(limit, MAX_ENTRIES)}
    return dict(await programs.records(operation, "DELTA", question, _entry))


async def read_after(
    programs: Programs,
    operation: str,
    kind: str,
    after: tuple[int, int],
    look_up: tuple[str, str, Callable[[Record, Mapping[str, int]], T]],
) -> list[T]:
    """Return what the journal's entries of one kind name, in no order.

    Args:
        programs: of the ERP.
        operation: what it is called towards operators.
        kind: the journal's code of the objects.
        after: the entry after which to read, and how many at most.
        look_up: the program that shows the objects, by which kind of key, and what makes a record of one, given the
            numbers of entries by their keys.

    Raises:
        Unexpected: an entry names what is not there: passing it over would lose it.
        ConnectorError: what the client raises.
    """
    entry, limit = after
    program, by, read = look_up
    numbers = await entries_after(programs, operation, kind, entry, limit)
    found = await programs.by_keys(operation, program, (by, numbers), lambda record: read(record, numbers))
    if len(found) != len(numbers):
        said = f"the journal names {len(numbers)} objects, of which {len(found)} can be read"
        raise Unexpected(SourceSystem.LEGACY_ERP, operation, said)
    return found


def _entry(record: Record) -> tuple[str, int]:
    return read_text(record, "KEY"), read_count(record, "SEQNO")
