"""Bulk reads of systems that take lists of keys and answer in pages: as few calls as the vendor's limits allow.

The vendor takes ``{"<keys>": [...], "cursor": ...}`` and answers ``{"<rows>": [...], "next": cursor or null}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from schema.enums import SourceSystem
from systems.client import VendorClient
from systems.errors import Unavailable, Unexpected

__all__ = ["BAD_SHAPE", "MAX_KEYS", "BulkReader"]

MAX_KEYS = 500
"""Keys of one call; more are asked for in further calls."""

MAX_PAGES = 200
"""Pages of one question; a system that goes on for longer is broken."""

BAD_SHAPE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What reading an answer raises that is not of the agreed shape."""

T = TypeVar("T")


class BulkReader:
    """Reads one system's answers."""

    def __init__(self, system: SourceSystem, client: VendorClient) -> None:
        self._system = system
        self._client = client

    async def rows(
        self,
        operation: str,
        path: str,
        keys: tuple[str, Sequence[str]],
        rows: tuple[str, Callable[[Mapping[str, Any]], T]],
        **more: Any,
    ) -> list[T]:
        """Return the records of all rows that a question finds, in the vendor's order per 500 keys.

        Args:
            operation: what the question is called towards operators.
            path: where it is posted.
            keys: name and values of the list that is asked for; repeated values are asked once, none means no call.
            rows: name of the rows in the answer, and what makes a record of one.
            more: further parts of the question.

        Raises:
            Unexpected: an answer is not of the agreed shape, or pages do not end.
            ConnectorError: what the client raises.
        """
        name, values = keys
        distinct = list(dict.fromkeys(values))
        found: list[T] = []
        for start in range(0, len(distinct), MAX_KEYS):
            question = {**more, name: distinct[start : start + MAX_KEYS]}
            cursor: str | None = None
            for _ in range(MAX_PAGES):
                body = (await self._client.query(operation, path, {**question, "cursor": cursor})).body
                page, cursor = self.read(operation, body, lambda body: (_records(body, rows), body["next"]))
                found += page
                if cursor is None:
                    break
            else:
                raise Unexpected(self._system, operation, f"more than {MAX_PAGES} pages")
        return found

    def read(self, operation: str, body: Any, read: Callable[[Any], T], *, is_write: bool = False) -> T:
        """Return what ``read`` makes of an answer.

        Raises:
            Unexpected: a read's answer is not of the agreed shape.
            Unavailable: a write's answer is not; whoever accepted it may have done it, so the outcome is unknown.
        """
        try:
            return read(body)
        except BAD_SHAPE as error:
            message = f"the answer has not the agreed shape: {type(error).__name__} {error}"
            if is_write:
                raise Unavailable(self._system, operation, message, outcome_unknown=True) from error
            raise Unexpected(self._system, operation, message) from error


def _records(body: Any, rows: tuple[str, Callable[[Mapping[str, Any]], T]]) -> list[T]:
    name, read = rows
    return [read(row) for row in body[name]]
