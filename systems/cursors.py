"""Cursors of an ERP's pages, which continue behind the last row's sort values, however many rows came in meanwhile."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from schema.enums import SourceSystem
from systems.errors import Rejected
from systems.ports import BAD_CURSOR

__all__ = ["make_cursor", "make_text_cursor", "read_cursor", "read_text_cursor"]

_SEPARATOR = "|"


def make_text_cursor(key: str) -> str:
    """Return an opaque cursor of a row that is sorted by a text."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def read_text_cursor(system: SourceSystem, cursor: str) -> str:
    """Return the text of a cursor.

    Raises:
        Rejected: it is no cursor.
    """
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise _unknown(system, cursor) from error
    if not key:
        raise _unknown(system, cursor)
    return key


def make_cursor(at: datetime, key: str) -> str:
    """Return an opaque cursor of a row that is sorted by a time and a text."""
    return make_text_cursor(f"{at.astimezone(UTC).isoformat()}{_SEPARATOR}{key}")


def read_cursor(system: SourceSystem, cursor: str) -> tuple[datetime, str]:
    """Return the time and the text of a cursor.

    Raises:
        Rejected: it is no cursor of such a list.
    """
    when, separator, key = read_text_cursor(system, cursor).partition(_SEPARATOR)
    try:
        at = datetime.fromisoformat(when)
    except ValueError as error:
        raise _unknown(system, cursor) from error
    if not separator or at.tzinfo is None:
        raise _unknown(system, cursor)
    return at, key


def _unknown(system: SourceSystem, cursor: str) -> Rejected:
    message = f"cursor {cursor!r} is not one of this list: start without a cursor"
    return Rejected(system, "read page", message, reason=BAD_CURSOR, fields=("after",))
