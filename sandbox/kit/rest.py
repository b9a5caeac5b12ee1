"""What the REST handlers of sandboxes share: reading JSON, refusing, pages."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Handler", "Refusal", "bearer_guard", "decimal_text", "from_milli", "read_object", "to_milli", "utc_text"]

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
