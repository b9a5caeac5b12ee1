"""Where documents that clients registered are kept: in the process, and in Redis for all processes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from gateway.policies.shared_redis import SharedRedis

__all__ = ["BYTES_PER_DOCUMENT", "DocumentStore", "MemoryDocuments", "RedisDocuments"]

BYTES_PER_DOCUMENT = 4_096
"""Size that documents kept in the process may have on average; anybody may register as many as large as is allowed."""


class DocumentStore(Protocol):
    """Keeps texts by their hash, for as long as it likes."""

    async def find(self, digest: str) -> str | None:
        """Return the text of a hash, None when it is not kept."""
        ...

    async def keep(self, digest: str, text: str) -> None:
        """Keep a text whose hash was verified."""
        ...


class MemoryDocuments:
    """The most recently used documents, in this process.

    Args:
        max_documents: documents at most; together they have at most ``max_documents * BYTES_PER_DOCUMENT`` bytes.
        max_document_bytes: a larger one is not kept.
    """

    def __init__(self, max_documents: int, max_document_bytes: int) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0
        self._max_documents = max_documents
        self._max_document_bytes = max_document_bytes

    async def find(self, digest: str) -> str | None:
        """See :class:`DocumentStore`."""
        found = self._texts.get(digest)
        if found is not None:
            self._texts.move_to_end(digest)
        return found

    async def keep(self, digest: str, text: str) -> None:
        """See :class:`DocumentStore`; a text that is too large is not kept."""
        size = len(text.encode())
        if size > self._max_document_bytes:
            return
        if digest not in self._texts:
            self._texts[digest] = text
            self._bytes += size
        self._texts.move_to_end(digest)
        most = self._max_documents
        while len(self._texts) > most or (self._bytes > most * BYTES_PER_DOCUMENT and len(self._texts) > 1):
            self._bytes -= len(self._texts.popitem(last=False)[1].encode())


class RedisDocuments:
    """Documents of all processes in Redis, with those of this process before it.

    Without an answer of Redis a document counts as not kept: the client then sends its text, and is served.
    """

    def __init__(self, redis: SharedRedis, near: MemoryDocuments, max_document_bytes: int, lifetime_s: float) -> None:
        self._redis = redis
        self._near = near
        self._max_bytes = max_document_bytes
        self._lifetime_s = max(1, int(lifetime_s))

    async def find(self, digest: str) -> str | None:
        """See :class:`DocumentStore`."""
        found = await self._near.find(digest)
        if found is None:
            found = await self._redis.run("GET", self._redis.key("document", digest))
            if found is not None:
                await self._near.keep(digest, found)
        return found

    async def keep(self, digest: str, text: str) -> None:
        """See :class:`DocumentStore`; a text that is too large is not kept."""
        if len(text.encode()) <= self._max_bytes:
            await self._near.keep(digest, text)
            await self._redis.run("SET", self._redis.key("document", digest), text, "EX", self._lifetime_s)
