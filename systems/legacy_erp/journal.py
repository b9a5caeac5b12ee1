"""The ERP's journal of what was written there, which is polled."""

from __future__ import annotations

from systems.legacy_erp.fields import Record, read_count, read_text
from systems.legacy_erp.programs import Programs

__all__ = ["entries_after"]

MAX_ENTRIES = 200
"""Entries of the journal that are read at once."""


async def entries_after(programs: Programs, operation: str, kind: str, after: int, limit: int) -> dict[str, int]:
    """Return the numbers of the journal's next entries of one kind by what they name, the earliest first.

    Raises:
        ConnectorError: what the client raises.
    """
    question = {"AFTER": after, "OBJCD": kind, "LIMIT": min(limit, MAX_ENTRIES)}
    return dict(await programs.records(operation, "DELTA", question, _entry))


def _entry(record: Record) -> tuple[str, int]:
    return read_text(record, "KEY"), read_count(record, "SEQNO")
