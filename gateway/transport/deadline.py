"""Tell a subgraph how long its answer is waited for, so that it does not work on when nobody waits any more."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["DeadlineTransport"]


class DeadlineTransport:
    """Wraps the transport that sends, so that each attempt tells what is left then.

    Args:
        header: takes the milliseconds.
        timeout_s: the transport's own limit, None when only requests say one.
    """

    def __init__(self, inner: SubgraphTransport, header: str, timeout_s: float | None = None) -> None:
        self._inner = inner
        self._header = header
        self._timeout_s = timeout_s

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        left_s, own_s = request.timeout_s, self._timeout_s
        if left_s is None or (own_s is not None and own_s < left_s):
            left_s = own_s
        if left_s is not None:
            told = (self._header, str(max(1, int(left_s * 1000))))
            request = replace(request, headers=(*request.headers, told))
        return await self._inner.send(request)

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through; a stream has no end that it could be told."""
        return self._inner.subscribe(request)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()
