"""What the REST handlers of sandboxes share: reading JSON, refusing, pages."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.kit.store import Store

__all__ = [
    "MAX_PAGE",
    "Handler",
    "Refusal",
    "bearer_guard",
    "decimal_text",
    "from_milli",
    "marks",
    "read_keys",
    "read_list",
    "read_object",
    "read_page",
    "to_milli",
    "utc_text",
]

MAX_PAGE = 500
"""Rows of one page, and values of one list in a query."""

Handler = Callable[[Request], Awaitable[Response]]

_MILLI = Decimal(1000)


class Refusal(Exception):
    """A request that the vendor refuses: status, code and message in its own words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def bearer_guard(api_key: str, handle: Handler, refuse: Callable[[Refusal], Response]) -> Handler:
    """Return a handler that wants ``Authorization: Bearer <api_key>`` and answers refusals in the vendor's words."""

    async def guarded(request: Request) -> Response:
        try:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), api_key.encode()):
                raise Refusal(401, "UNAUTHORIZED", "the API key is missing or wrong")  # noqa: TRY301 - one way out
            return await handle(request)
        except Refusal as refusal:
            return refuse(refusal)

    return guarded


async def read_object(request: Request) -> Mapping[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        Refusal: the body is something else.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "BAD_JSON", "the body must be a JSON object")
    return body


def read_list(query: Mapping[str, Any], name: str) -> list[str]:
    """Return the list of texts under ``name``, empty when it is missing.

    Raises:
        Refusal: it is something else or longer than a page.
    """
    given = query.get(name) or []
    if not isinstance(given, list) or len(given) > MAX_PAGE or not all(isinstance(text, str) for text in given):
        raise Refusal(422, "BAD_LIST", f"{name} must be a list of at most {MAX_PAGE} texts")
    return given


def read_keys(query: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return (column, values) of the one list that a query gives out of several; ``columns`` by the lists' names.

    Raises:
        Refusal: it gives none or more than one.
    """
    given = [(column, values) for name, column in columns.items() if (values := read_list(query, name))]
    if len(given) != 1:
        raise Refusal(422, "MISSING_FIELD", f"give exactly one of {', '.join(columns)}")
    return given[0]


def marks(values: Collection[object]) -> str:
    """Return as many question marks as there are values, for an SQL list."""
    return ", ".join("?" * len(values))


def read_page(
    store: Store, table: str, order: str, where: Mapping[str, Sequence[str]], query: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    """Return (a page of rows, cursor of the next page or None).

    Args:
        store: where the table is.
        table: its name.
        order: SQL expression that is unique among rows; rows come in its order, cursors are its values.
        where: accepted values by column.
        query: holds the ``cursor`` of this page, unless it is the first.
    """
    conditions = [f"{column} IN ({marks(values)})" for column, values in where.items()]
    params = [value for values in where.values() for value in values]
    if query.get("cursor") is not None:
        conditions.append(f"{order} > ?")
        params.append(str(query["cursor"]))
    found = store.query(
        f"SELECT *, {order} AS page_key FROM {table} "  # noqa: S608 - names are ours
        f"WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT {MAX_PAGE + 1}",
        params,
    )
    rows = [dict(row) for row in found[:MAX_PAGE]]
    return rows, rows[-1]["page_key"] if len(found) > MAX_PAGE else None


def to_milli(quantity: object) -> int:
    """Return a quantity in thousandths, as stores count it.

    Raises:
        Refusal: it is no positive number with at most three decimals.
    """
    try:
        milli = Decimal(str(quantity)) * _MILLI
    except InvalidOperation:
        milli = Decimal(0)
    if milli <= 0 or milli != milli.to_integral_value():
        raise Refusal(422, "BAD_QUANTITY", f"quantity {quantity!r} must be above zero with at most three decimals")
    return int(milli)


def from_milli(milli: int) -> str:
    """Return a quantity of thousandths as the text of a number."""
    return decimal_text(Decimal(milli) / _MILLI)


def decimal_text(value: Decimal) -> str:
    """Return a number without trailing zeros and without an exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc_text(moment: datetime) -> str:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
