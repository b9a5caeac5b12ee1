"""Public keys of whoever issues tokens (JWKS), from a file or an address.

1. Keys are read on first use and again after a while, in the background: meanwhile the old ones serve.
2. A token that names an unknown key makes them be read at once, but only a few times within some seconds: issuers
   rotate keys, and strangers invent names.
3. When reading fails the old keys serve on for a long while, and then no longer: a revoked key must end some day.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from gateway.config import KeySetSettings
from gateway.errors import ErrorCode, RequestError
from gateway.transport.download import Download, DownloadFailed

__all__ = ["KeySet", "fetch_of"]

_log = logging.getLogger("gateway")

PAUSE_S = 10.0
"""Seconds within which one set of keys is read ``MAX_READS`` times at most; less where ``refresh`` is less."""

MAX_READS = 3
"""So that a key that was published just after a read is found at once, and one after that."""

MAX_BYTES = 256 * 1024
"""Largest set of keys; real ones have a few KiB."""

MAX_KEYS = 100
"""Most keys of one set."""

Fetch = Callable[[], Awaitable[bytes]]
Key = Mapping[str, Any]
"""One JSON Web Key."""


def fetch_of(settings: KeySetSettings) -> Fetch:
    """Return what reads the keys: from a file or an address."""
    path, url = settings.file, settings.url
    if path is not None:
        return lambda: asyncio.to_thread(path.read_bytes)
    download = Download(url or "", MAX_BYTES, settings.timeout)

    async def fetch() -> bytes:
        found = await download.fetch()
        return found.body if found is not None else b""

    return fetch


class KeySet:
    """The keys of one issuer."""

    def __init__(
        self, settings: KeySetSettings, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._fetch = fetch or fetch_of(settings)
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._read_at: float | None = None
        self._tries: deque[float] = deque(maxlen=MAX_READS)
        self._pause_s = min(PAUSE_S, settings.refresh)
        self._reading: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> tuple[Key, ...]:
        """Return the keys that may have signed a token that names ``key_id``; all keys for None.

        Raises:
            RequestError: IDENTITY_UNAVAILABLE, there are no keys that may still be used.
        """
        await self._freshen()
        found = self._named(key_id)
        if not found and self._may_read():
            await self._read()
            found = self._named(key_id)
        return found

    def knows(self, key_id: str | None) -> bool:
        """Tell whether a key is known without reading anything."""
        return bool(self._named(key_id))

    async def settle(self) -> None:
        """Wait until nothing is being read."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    async def aclose(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await self.settle()

    def _named(self, key_id: str | None) -> tuple[Key, ...]:
        if key_id is None:
            return self._keys
        return tuple(key for key in self._keys if key.get("kid") == key_id)

    def _age(self) -> float | None:
        return None if self._read_at is None else self._clock() - self._read_at

    def _may_read(self) -> bool:
        if self._reading is not None or len(self._tries) < MAX_READS:
            return True
        return self._clock() - self._tries[0] >= self._pause_s

    async def _freshen(self) -> None:
        age = self._age()
        if age is not None and age < self.settings.refresh:
            return
        if age is not None and age < self.settings.keep_for:
            if self._may_read():
                self._start()
            return
        if self._may_read():
            await self._read()
            age = self._age()
        if age is None or age >= self.settings.keep_for:
            message = "the keys that prove tokens cannot be read at the moment; try again"
            raise RequestError(ErrorCode.IDENTITY_UNAVAILABLE, message, http_status=503, retry_after_s=PAUSE_S)

    def _start(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._tries.append(self._clock())
            self._reading = asyncio.get_running_loop().create_task(self._read_now())
            self._reading.add_done_callback(self._forget)
        return self._reading

    def _forget(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read(self) -> None:
        await asyncio.shield(self._start())

    async def _read_now(self) -> None:
        try:
            async with asyncio.timeout(self.settings.timeout):
                self._keys = _parse(await self._fetch())
        except (DownloadFailed, OSError, ValueError) as error:  # a TimeoutError is an OSError
            reason = str(error) or "no answer in time"
            _log.warning("keys of %s cannot be read: %s", self.settings.file or self.settings.url, reason)
            return
        self._read_at = self._clock()


def _parse(body: bytes) -> tuple[Key, ...]:
    """Return the keys that sign; secrets among them are left out, since whoever can read them could sign.

    Raises:
        ValueError: it is no set of keys, or an empty one.
    """
    content = orjson.loads(body)
    keys = content.get("keys") if isinstance(content, dict) else None
    found = [key for key in keys if _signs(key)] if isinstance(keys, list) else []
    if not found:
        raise ValueError("it is no JSON Web Key Set with a key for signatures")
    return tuple(found[:MAX_KEYS])


def _signs(key: Any) -> bool:
    return isinstance(key, dict) and key.get("kty") != "oct" and key.get("use", "sig") == "sig"
