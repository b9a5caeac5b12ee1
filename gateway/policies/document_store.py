"""Where documents that clients registered are kept: in the process, and in Redis for all processes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from gateway.policies.shared_redis import SharedRedis

__all__ = ["DocumentStore", "MemoryDocuments", "RedisDocuments"]


class DocumentStore(Protocol):
    """Keeps texts by their hash, for as long as it likes."""

    async def find(self, digest: str) -> str | None:
        """Return the text of a hash, None when it is not kept."""
        ...

    async def keep(self, digest: str, text: str) -> None:
        """Keep a text whose hash was verified."""
        ...


class MemoryDocuments:
    """The most recently used documents, in this process."""

    def __init__(self, max_documents: int, max_document_bytes: int) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._max_documents = max_documents
        self._max_bytes = max_document_bytes

    async def find(self, digest: str) -> str | None:
        """See :class:`DocumentStore`."""
        found = self._texts.get(digest)
        if found is not None:
            self._texts.move_to_end(digest)
        return found

    async def keep(self, digest: str, text: str) -> None:
        """See :class:`DocumentStore`; a text that is too large is not kept."""
        if len(text.encode()) > self._max_bytes:
            return
        self._texts[digest] = text
        self._texts.move_to_end(digest)
        if len(self._texts) > self._max_documents:
            self._texts.popitem(last=False)


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
