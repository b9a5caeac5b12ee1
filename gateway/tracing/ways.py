"""What the gateway does with traces: nothing, or pass them on. Spans are in :mod:`gateway.tracing.spans`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from structlog.contextvars import bound_contextvars

from gateway.tracing.context import TraceContext, current, read_context
from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["NoTracing", "PassOn", "Tracing", "entered"]


class Tracing(Protocol):
    """What becomes of the traces that requests belong to."""

    def request(self, scope: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Surround one HTTP request or WebSocket, given by its ASGI scope."""
        ...

    def planning(self) -> AbstractContextManager[None]:
        """Surround the making of one plan."""
        ...

    def wrap(self, subgraph: str, transport: SubgraphTransport) -> SubgraphTransport:
        """Return a transport that tells the subgraph of the trace."""
        ...


class NoTracing:
    """Nothing is read and nothing passed on."""

    def request(self, scope: Mapping[str, Any]) -> AbstractContextManager[None]:  # noqa: ARG002 - see Tracing
        """See :class:`Tracing`."""
        return nullcontext()

    def planning(self) -> AbstractContextManager[None]:
        """See :class:`Tracing`."""
        return nullcontext()

    def wrap(self, subgraph: str, transport: SubgraphTransport) -> SubgraphTransport:  # noqa: ARG002 - see Tracing
        """Return the same transport."""
        return transport


class PassOn:
    """The client's trace goes on at the subgraphs, or a new one begins; the gateway records no spans of its own."""

    def request(self, scope: Mapping[str, Any]) -> AbstractContextManager[None]:
        """See :class:`Tracing`."""
        return entered(read_context(scope["headers"]) or TraceContext.start())

    def planning(self) -> AbstractContextManager[None]:
        """See :class:`Tracing`."""
        return nullcontext()

    def wrap(self, subgraph: str, transport: SubgraphTransport) -> SubgraphTransport:  # noqa: ARG002 - see Tracing
        """See :class:`Tracing`."""
        return _PassingTransport(transport)


@contextmanager
def entered(trace: TraceContext) -> Iterator[None]:
    """Make a trace the current one, also for the lines of log that are written meanwhile."""
    before = current.set(trace)
    try:
        with bound_contextvars(correlation_id=trace.trace_id):
            yield
    finally:
        current.reset(before)


class _PassingTransport:
    def __init__(self, inner: SubgraphTransport) -> None:
        self._inner = inner

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        return await self._inner.send(_traced(request))

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        return self._inner.subscribe(_traced(request))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _traced(request: SubgraphRequest) -> SubgraphRequest:
    trace = current.get()
    return request if trace is None else replace(request, headers=(*request.headers, *trace.headers()))
