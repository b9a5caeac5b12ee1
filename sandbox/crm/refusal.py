"""Refusals in the vendor's format: a list of ``{"message", "errorCode", "fields"}``."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

__all__ = ["CrmRefusal", "refusal_body", "refused"]


class CrmRefusal(Exception):
    """A request that the CRM refuses; ``fields`` None when it is about no field of a record."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields


def refusal_body(refusal: CrmRefusal) -> list[dict[str, Any]]:
    """Return the error body."""
    error: dict[str, Any] = {"message": refusal.message, "errorCode": refusal.code}
    if refusal.fields is not None:
        error["fields"] = list(refusal.fields)
    return [error]


def refused(refusal: CrmRefusal) -> Response:
    """Return the error answer."""
    return JSONResponse(refusal_body(refusal), refusal.status)
