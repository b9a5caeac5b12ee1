"""Verification of the audit log from the command line."""

from __future__ import annotations

import re

from events.audit import Head, SqlAuditLog, Verdict
from systems.platform.database import Database

__all__ = ["head_of", "verify_audit"]

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def head_of(text: str) -> Head | None:
    """Return the head that ``<number>:<hash>`` names, None for any other text."""
    found = _HEAD.fullmatch(text)
    return None if found is None else Head(int(found[1]), found[2])


async def verify_audit(database_url: str, expected: Head | None) -> Verdict:
    """Walk the audit log of a database.

    Raises:
        ValueError: the URL is not one of a platform database.
        Unavailable: the database does not answer, or has no audit log yet.
    """
    async with Database(database_url) as database:
        return await SqlAuditLog(database).verify(expected)
