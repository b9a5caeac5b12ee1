"""Reads the ERP's entity sets: one call for one question or for many, and pages to their end.

A short question is a GET. A long one, or several at about the same time, travel in one ``$batch``, whose limit is far
above that of a URL. Links to further pages are followed on the system that we called and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from schema.enums import SourceSystem
from systems.bulk import BulkReader
from systems.business_central.odata import Query, equals
from systems.business_central.refusals import batch_failure
from systems.business_central.together import Answers, Together
from systems.client import VendorClient
from systems.errors import ConnectorError, Unexpected

__all__ = ["Company", "Reader"]

STANDARD = "/api/v2.0"
EXTENSION = "/api/crossdock/distribution/v1.0"

MAX_URL_CHARS = 1_800
"""Longest address of a GET: proxies and web servers take 2,000 characters without exception."""

MAX_PAGES = 200
"""Pages of one question; a system that goes on for longer is broken."""

_EACH_BY_ITSELF = {"prefer": "odata.continue-on-error"}

T = TypeVar("T")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Company:
    """The company whose data we read. ``currency`` is that of its books and costs."""

    id: str
    currency: str


class Reader:
    """Reads and writes within one company, which is looked up when it is first needed."""

    def __init__(self, client: VendorClient, base_url: str, company_name: str) -> None:
        self.client = client
        self._base = urlsplit(base_url.rstrip("/"))
        self._company_name = company_name
        self._company: Company | None = None
        self._lock = asyncio.Lock()
        self._bulk = BulkReader(SourceSystem.CLOUD_ERP, client)
        self._together = Together(self._ask)

    async def company(self) -> Company:
        """Return the company; asked for once.

        Raises:
            Unexpected: there is no company of the configured name.
            ConnectorError: the ERP does not answer.
        """
        if self._company is None:
            async with self._lock:
                if self._company is None:
                    self._company = await self._find_company()
        return self._company

    async def path(self, address: str) -> str:
        """Return the path of an address of the extension within the company."""
        return f"{EXTENSION}/companies({(await self.company()).id})/{address}"

    async def rows(self, operation: str, queries: Sequence[Query], read: Callable[[Row], T]) -> list[T]:
        """Return the records of all rows that the questions find, question by question; no call without questions."""
        return [record for records in await self.each(operation, queries, read) for record in records]

    async def each(self, operation: str, queries: Sequence[Query], read: Callable[[Row], T]) -> list[list[T]]:
        """Return the records that each question finds, in its order.

        Raises:
            Unexpected: an answer is not of the agreed shape, or pages do not end.
            ConnectorError: what the client raises.
        """
        if not queries:
            return []
        paths = [await self.path(query.address()) for query in queries]
        bodies = await self._together.bodies(operation, paths)
        return [await self._pages(operation, body, read) for body in bodies]

    def read(self, operation: str, body: Any, read: Callable[[Any], T], *, is_write: bool = False) -> T:
        """Return what ``read`` makes of an answer; what is not of the agreed shape is a failure of ours."""
        return self._bulk.read(operation, body, read, is_write=is_write)

    async def _ask(self, operation: str, paths: Sequence[str]) -> Answers:
        if len(paths) == 1 and len(paths[0]) <= MAX_URL_CHARS:
            return [(await self.client.get(operation, paths[0])).body]
        requests = [{"id": str(place), "method": "GET", "url": path} for place, path in enumerate(paths)]
        answer = await self.client.query(operation, f"{EXTENSION}/$batch", {"requests": requests}, _EACH_BY_ITSELF)
        return self.read(operation, answer.body, partial(_answers, operation, count=len(paths)))

    async def _pages(self, operation: str, body: Any, read: Callable[[Row], T]) -> list[T]:
        found: list[T] = []
        for _ in range(MAX_PAGES):
            page, link = self.read(
                operation, body, lambda body: ([read(row) for row in body["value"]], body.get("@odata.nextLink"))
            )
            found += page
            if link is None:
                return found
            body = (await self.client.get(operation, self._local(operation, link))).body
        raise Unexpected(SourceSystem.CLOUD_ERP, operation, f"more than {MAX_PAGES} pages")

    def _local(self, operation: str, link: Any) -> str:
        """Return the path of a link of our own system.

        Raises:
            Unexpected: it leads elsewhere, where our credentials must not go.
        """
        parts = self.read(operation, link, _split)
        own = (self._base.scheme, self._base.netloc.lower())
        if (parts.scheme, parts.netloc.lower()) != own or not parts.path.startswith(self._base.path + "/"):
            raise Unexpected(SourceSystem.CLOUD_ERP, operation, "the link to the next page leads to another system")
        return f"{parts.path.removeprefix(self._base.path)}?{parts.query}"

    async def _find_company(self) -> Company:
        named = Query("companies", "id", equals("name", self._company_name)).address()
        answer = (await self.client.get("find company", f"{STANDARD}/{named}")).body
        ids = self.read("find company", answer, lambda body: [str(row["id"]) for row in body["value"]])
        if len(ids) != 1:
            said = f"{len(ids)} companies are called {self._company_name!r}: check the configured name"
            raise Unexpected(SourceSystem.CLOUD_ERP, "find company", said)
        information = Query("companyInformation", "currencyCode").address()
        answer = (await self.client.get("find company", f"{STANDARD}/companies({ids[0]})/{information}")).body
        currency = self.read("find company", answer, lambda body: str(body["value"][0]["currencyCode"]))
        return Company(ids[0], currency)


def _split(link: Any) -> SplitResult:
    if not isinstance(link, str):
        raise TypeError("the link to the next page is no text")
    return urlsplit(link)


def _answers(operation: str, body: Mapping[str, Any], count: int) -> Answers:
    """Return what each part of a batch brought, in the order of its requests.

    A system that ends a batch at the first failure leaves later parts out: these fail like the one before them.
    """
    by_id = {entry["id"]: entry for entry in body["responses"]}
    found: list[Any] = []
    failure: ConnectorError | None = None
    for place in range(count):
        entry = by_id.get(str(place))
        if entry is None:
            if failure is None:
                raise ValueError(f"{len(by_id)} answers to {count} requests")
            found.append(failure)
        elif entry["status"] == 200:
            found.append(entry["body"])
        else:
            failure = batch_failure(operation, entry)
            found.append(failure)
    return found
