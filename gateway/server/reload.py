"""Notice a changed supergraph and serve it, or keep the one that is served and say why.

Sources answer the same question: has the text changed since the last look? A file is asked by its time and size, an
address by its ETag (by the text itself when it gives none).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from gateway.errors import GatewayError
from gateway.transport.download import Download, DownloadFailed

__all__ = ["MAX_SUPERGRAPH_BYTES", "FileSource", "Reloader", "SupergraphSource", "UrlSource"]

_log = logging.getLogger("gateway")

MAX_SUPERGRAPH_BYTES = 64 * 1024 * 1024
"""Largest supergraph that is read; the largest real ones have some MiB."""


class SupergraphSource(Protocol):
    """Where supergraphs come from."""

    async def changed(self) -> str | None:
        """Return the text when it is another one than at the last call, else None.

        Raises:
            OSError, DownloadFailed, ValueError: it cannot be read, or is no text.
        """
        ...


class FileSource:
    """A file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    async def changed(self) -> str | None:
        """See :class:`SupergraphSource`."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> str | None:
        found = self._path.stat()
        mark = (found.st_mtime_ns, found.st_size)
        if mark == self._seen:
            return None
        if found.st_size > MAX_SUPERGRAPH_BYTES:
            raise ValueError(f"{self._path} has more than {MAX_SUPERGRAPH_BYTES} bytes")
        text = self._path.read_text(encoding="utf-8")
        self._seen = mark
        return text


class UrlSource:
    """An address."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._download = Download(url, MAX_SUPERGRAPH_BYTES, timeout_s)
        self._etag: str | None = None
        self._body: bytes | None = None

    async def changed(self) -> str | None:
        """See :class:`SupergraphSource`."""
        found = await self._download.fetch(self._etag)
        if found is None or found.body == self._body:
            return None
        text = found.body.decode("utf-8")
        self._etag, self._body = found.etag, found.body
        return text


class Told(Protocol):
    """Who counts changes."""

    def __call__(self, *, has_failed: bool) -> None:
        """Take note of one, or of one that was kept out."""
        ...


class Reloader:
    """Looks at a source again and again, and hands what is new to ``serve``, which raises what it cannot serve."""

    def __init__(
        self,
        source: SupergraphSource,
        serve: Callable[[str], Awaitable[None]],
        poll_s: float,
        told: Told | None = None,
    ) -> None:
        self._source = source
        self._serve = serve
        self._poll_s = poll_s
        self._told = told

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._poll_s)
            await self.look()

    async def look(self) -> bool:
        """Look once; True when another supergraph is served now."""
        try:
            text = await self._source.changed()
            if text is None:
                return False
            await self._serve(text)
        except (GatewayError, DownloadFailed, OSError, ValueError) as error:
            _log.error("the supergraph is not replaced, the old one is served on: %s", error)
            return self._took_over(has_failed=True)
        except Exception:  # noqa: BLE001 - a bug must end neither the old graph nor the looking
            _log.exception("the supergraph is not replaced, the old one is served on")
            return self._took_over(has_failed=True)
        _log.warning("another supergraph is served")
        return self._took_over(has_failed=False)

    def _took_over(self, *, has_failed: bool) -> bool:
        if self._told is not None:
            self._told(has_failed=has_failed)
        return not has_failed
