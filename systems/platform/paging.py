"""Forward pages over rows sorted by a time and an id; the cursor is that pair, made opaque."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import SourceSystem
from schema.records.values import Page, PageRequest
from systems.errors import Rejected

__all__ = ["read_page"]

R = TypeVar("R")

_SEPARATOR = "|"


async def read_page(
    connection: AsyncConnection,
    statement: Select[Any],
    order: tuple[Column[datetime], Column[str]],
    page: PageRequest,
    read: Callable[[Row[Any]], R],
) -> Page[R]:
    """Return one page of the statement's rows, earliest first; two statements, one of them the count.

    ``order`` is the time and the id that sort the rows; both are columns of the statement.

    Raises:
        Rejected: ``page.after`` is no cursor of such a page.
    """
    at, key = order
    total = (await connection.execute(select(func.count()).select_from(statement.subquery()))).scalar_one()
    if page.after is not None:
        statement = statement.where(_behind(at, key, page.after))
    fetched: Sequence[Row[Any]] = (await connection.execute(statement.order_by(at, key).limit(page.first + 1))).all()
    shown = fetched[: page.first]
    return Page(
        items=tuple(read(row) for row in shown),
        cursors=tuple(_cursor(getattr(row, at.name), getattr(row, key.name)) for row in shown),
        has_next=len(fetched) > page.first,
        total=total,
    )


def _behind(at: Column[datetime], key: Column[str], cursor: str) -> ColumnElement[bool]:
    when, last = _parse(cursor)
    return or_(at > when, and_(at == when, key > last))


def _cursor(at: datetime, key: str) -> str:
    plain = f"{at.astimezone(UTC).isoformat()}{_SEPARATOR}{key}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _parse(cursor: str) -> tuple[datetime, str]:
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        when, separator, key = plain.partition(_SEPARATOR)
        at = datetime.fromisoformat(when)
    except (ValueError, binascii.Error) as error:
        raise _unknown(cursor) from error
    if not separator or at.tzinfo is None:
        raise _unknown(cursor)
    return at, key


def _unknown(cursor: str) -> Rejected:
    message = f"cursor {cursor!r} is not one of this list: start without a cursor"
    return Rejected(SourceSystem.PLATFORM, "read page", message, reason="BAD_CURSOR", fields=("after",))
