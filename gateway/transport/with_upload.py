"""The transports of one request that brings files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace

from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport
from gateway.transport.upload import Upload

__all__ = ["UploadTransports"]


class UploadTransports(Mapping[str, SubgraphTransport]):
    """The transports of one request with files: whoever sends the variables with files sends these too."""

    def __init__(self, transports: Mapping[str, SubgraphTransport], upload: Upload) -> None:
        self._transports = transports
        self._upload = upload

    def __getitem__(self, subgraph: str) -> SubgraphTransport:
        return _WithFiles(self._transports[subgraph], self._upload)

    def __iter__(self) -> Iterator[str]:
        return iter(self._transports)

    def __len__(self) -> int:
        return len(self._transports)


class _WithFiles:
    def __init__(self, inner: SubgraphTransport, upload: Upload) -> None:
        self._inner = inner
        self._upload = upload

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Send the files with the request that they belong to; it must not be sent twice then."""
        if self._upload.belongs_to(request.body):
            request = replace(request, upload=self._upload, is_mutation=True, has_key=False)
        return await self._inner.send(request)

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through; a subscription takes no files."""
        return self._inner.subscribe(request)

    async def aclose(self) -> None:
        """Leave the transports open; they belong to the gateway."""
