"""Tell how long requests to a subgraph take and how they end."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable

from gateway.errors import SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["MeteredTransport"]


class MeteredTransport:
    """Wraps a transport.

    Args:
        note: takes the subgraph, the seconds and the outcome: ``ok``, a code, or ``status_<number>``.
    """

    def __init__(self, subgraph: str, inner: SubgraphTransport, note: Callable[[str, float, str], None]) -> None:
        self._subgraph = subgraph
        self._inner = inner
        self._note = note

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            response = await self._inner.send(request)
            outcome = "ok" if response.status == 200 else f"status_{response.status}"
            return response
        except SubgraphError as error:
            outcome = str(error.code)
            raise
        finally:
            self._note(self._subgraph, time.perf_counter() - started, outcome)

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through."""
        return self._inner.subscribe(request)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()
