"""Queries: all pages of an answer, as few calls as the vendor's limits allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from schema.enums import SourceSystem
from systems.bulk import BulkReader
from systems.client import VendorClient
from systems.errors import Unexpected
from systems.salesforce.soql import in_lists

__all__ = ["API", "QueryReader"]

API = "/services/data/v62.0"
"""Path of the API's version that this connector speaks."""

MAX_PAGES = 200
"""Pages of one query, 2,000 records each; a vendor that goes on for longer is broken."""

T = TypeVar("T")


class QueryReader:
    """Asks queries and reads their answers."""

    def __init__(self, client: VendorClient) -> None:
        self._client = client
        self._reader = BulkReader(SourceSystem.CRM, client)

    async def rows(self, operation: str, soql: str, read: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """Return the records of all rows that a query finds.

        Raises:
            Unexpected: an answer is not of the agreed shape, or pages do not end.
            ConnectorError: what the client raises.
        """
        found: list[T] = []
        path: str = f"{API}/query"
        params: Mapping[str, str] | None = {"q": soql}
        for _ in range(MAX_PAGES):
            body = (await self._client.get(operation, path, params)).body
            page, following = self._reader.read(operation, body, lambda body: _page(body, read))
            found += page
            if following is None:
                return found
            # An address elsewhere would be given our token.
            if not following.startswith(f"{API}/query/"):
                raise Unexpected(SourceSystem.CRM, operation, "the next page lies outside of the API")
            path, params = following, None
        raise Unexpected(SourceSystem.CRM, operation, f"more than {MAX_PAGES} pages")

    async def rows_in(
        self, operation: str, template: str, values: Iterable[str], read: Callable[[Mapping[str, Any]], T]
    ) -> list[T]:
        """Return the records of all rows for a list of values, which stands for ``{}`` in the template."""
        found: list[T] = []
        for soql in in_lists(template, values):
            found += await self.rows(operation, soql, read)
        return found

    async def count(self, operation: str, soql: str) -> int:
        """Return the number of rows that a ``COUNT()`` query finds."""
        answer = await self._client.get(operation, f"{API}/query", {"q": soql})
        return self._reader.read(operation, answer.body, lambda body: int(body["totalSize"]))


def _page(body: Any, read: Callable[[Mapping[str, Any]], T]) -> tuple[list[T], str | None]:
    return [read(row) for row in body["records"]], None if body["done"] else str(body["nextRecordsUrl"])
