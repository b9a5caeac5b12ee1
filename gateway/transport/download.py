"""Fetch a small document by HTTP, again only when it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response

__all__ = ["Download", "DownloadFailed", "Downloaded"]


class DownloadFailed(Exception):
    """The document did not come; the message says why and names no credentials."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A document with the tag by which its server knows this version, None when it gave none."""

    body: bytes
    etag: str | None


class Download:
    """One document at one address. A connection is made for each fetch, since fetches are minutes apart."""

    def __init__(self, url: str, max_bytes: int, timeout_s: float, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._url = url
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._headers = headers

    async def fetch(self, etag: str | None = None) -> Downloaded | None:
        """Return the document, None when the version with ``etag`` is still the newest.

        Raises:
            DownloadFailed: no answer, another status than 200, or more than the most bytes.
        """
        builder = ClientBuilder().timeout(timedelta(seconds=self._timeout_s)).follow_redirects(False)
        builder = builder.user_agent("crossdock-gateway")
        try:
            async with builder.build() as client:
                request = client.get(self._url).headers(self._headers)
                if etag is not None:
                    request = request.header("if-none-match", etag)
                async with request.build_streamed() as response:
                    if etag is not None and response.status == 304:
                        return None
                    return Downloaded(await self._read(response), response.get_header("etag"))
        except PyreqwestError as error:
            raise DownloadFailed(f"no answer ({type(error).__name__})") from error

    async def _read(self, response: Response) -> bytes:
        if response.status != 200:
            raise DownloadFailed(f"the server answered with status {response.status}")
        chunks: list[bytes] = []
        size = 0
        while (chunk := await response.body_reader.read_chunk()) is not None:
            size += len(chunk)
            if size > self._max_bytes:
                raise DownloadFailed(f"the document has more than {self._max_bytes} bytes")
            chunks.append(bytes(chunk))
        return b"".join(chunks)
